import { figuresOf, type Sample, sample } from '../measure.ts';
import { objectTarget, type Workload, workloadOf } from '../objects.ts';
import { threadSecondsOf } from '../proc.ts';
import { type EddyServer, startEddy } from '../servers/eddy.ts';
import { median, rounded } from '../statistics.ts';
import { verifyHits } from '../verify.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const connections = 64;
const warmUpSeconds = 1;

/** One node, and what was seen of it for one size. */
interface Side {
  readonly server: EddyServer;
  readonly threads: number;
  readonly samples: Sample[];
  /** CPU seconds of each viewer thread, busiest first, summed over the samples. */
  readonly threadSeconds: number[];
}

/** Two viewer threads beside one, on the same two cores: what sharing costs, and whether both work. */
export const workers: Scenario = {
  id: 'workers',
  title: 'Two viewer threads beside one',
  programs: () => ['wrk'],
  run: async (bench) => {
    const { options, rig } = bench;
    const cores = [rig.serverCore, rig.loadCore];
    const start = (threads: number) =>
      startEddy({ ...bench.server, workers: threads, cores, name: `Eddy, ${threads} workers` });
    const servers = [await start(1), await start(2)];
    const findings: Finding[] = [];
    const failures: string[] = [];
    for (const workload of options.sizes.map(workloadOf)) {
      const sides = servers.map((server, i): Side => ({ server, threads: i + 1, samples: [], threadSeconds: [] }));
      for (const side of sides) await warmUp(bench, side, workload);
      // ABBA: what drifts drifts for both.
      for (let round = 0; round < options.rounds; round++) {
        for (const side of round % 2 === 0 ? sides : sides.toReversed()) await measure(bench, side, workload);
      }
      findings.push(findingOf(workload, sides));
      failures.push(...failuresOf(workload, sides));
      bench.show(workload.label, findings.slice(-1));
    }
    return { findings, notes, charts: [], failures };
  },
};

const notes = [
  'Both nodes may use both cores, of which the load generator needs one: requests/s say little, CPU seconds do.',
  'ratio: requests per CPU second with two viewer threads, over those with one and no other thread; of each round, their median. ratios: all of them.',
  'leastBusy: CPU time of the less busy viewer thread over that of the other. The kernel spreads connections by a hash.',
];

function loadOf({ server }: Side, workload: Workload, seconds: number) {
  const url = server.http + objectTarget(workload.objectBytes, 'hit');
  return { url, connections, seconds, range: workload.range };
}

async function warmUp({ rig, origin }: Bench, side: Side, workload: Workload): Promise<void> {
  const { server } = side;
  await verifyHits(server, { origin, url: loadOf(side, workload, 1).url, workload });
  await sample(rig, { server, tool: 'wrk', load: loadOf(side, workload, warmUpSeconds) });
}

async function measure({ rig, options }: Bench, side: Side, workload: Workload): Promise<void> {
  const { server, samples, threadSeconds, threads } = side;
  const [pid = 0] = server.pids;
  const before = threadSecondsOf(pid);
  samples.push(await sample(rig, { server, tool: 'wrk', load: loadOf(side, workload, options.seconds) }));
  const used = [...threadSecondsOf(pid)].map(([thread, seconds]) => seconds - (before.get(thread) ?? 0));
  const busiest = used.toSorted((a, b) => b - a).slice(0, threads);
  busiest.forEach((seconds, i) => {
    threadSeconds[i] = (threadSeconds[i] ?? 0) + seconds;
  });
}

function findingOf(workload: Workload, sides: readonly Side[]): Finding {
  const [one, two] = sides.map(({ samples }) => figuresOf(samples));
  const [busy = 0, less = 0] = sides[1]?.threadSeconds ?? [];
  const [alone = [], together = []] = sides.map(({ samples }) =>
    samples.map((each) => each.requests / each.cpuSeconds),
  );
  const ratios = together.map((each, i) => rounded(each / (alone[i] ?? 0), 3));
  return {
    size: workload.label,
    oneRequestsPerCpuSecond: one?.requestsPerCpuSecond,
    twoRequestsPerCpuSecond: two?.requestsPerCpuSecond,
    ratio: median(ratios),
    ratios: ratios.toSorted((a, b) => a - b).join(' '),
    oneBusy: one?.busy,
    twoBusy: two?.busy,
    leastBusy: rounded(less / busy, 2),
    oneP99Ms: one?.p99Ms,
    twoP99Ms: two?.p99Ms,
    oneRssMb: one?.rssMb,
    twoRssMb: two?.rssMb,
  };
}

function failuresOf(workload: Workload, sides: readonly Side[]): string[] {
  return sides
    .map(({ server, samples }) => ({ server, errors: samples.reduce((sum, { errors }) => sum + errors, 0) }))
    .filter(({ errors }) => errors > 0)
    .map(({ server, errors }) => `${workload.label}: ${server.name} had ${errors} errors`);
}
