import { setTimeout as delay } from 'node:timers/promises';
import { contenders } from '../fleet.ts';
import { getWhole } from '../get.ts';
import type { Names } from '../load/wrk.ts';
import { figuresOf, type Sample, sample } from '../measure.ts';
import { objectTarget, workloadOf } from '../objects.ts';
import { startEddy } from '../servers/eddy.ts';
import { startRaw } from '../servers/raw.ts';
import type { Server } from '../servers/server.ts';
import { quotient, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const sizes: readonly string[] = ['256k', '1m', '6m'];
const objectsPerSize = 64;
const connections = 64;
const fillAttemptsMax = 30;

/** Hits on disk, page cache warm, against hits in RAM and against reading files with nothing around it. */
export const disk: Scenario = {
  id: 'disk',
  title: 'Disk hits (RAM tier off) against RAM hits and the page cache',
  programs: () => ['wrk', 'nginx'],
  run: async (bench) => {
    const { options } = bench;
    const servers = await startServers(bench);
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const size of sizes.filter((each) => !options.quick || each === '1m')) {
      const samples = new Map(servers.map((server) => [server, [] as Sample[]]));
      for (const server of servers) await fill(bench, { server, size, failures });
      for (let round = 0; round < options.rounds; round++) {
        for (const [server, taken] of samples) taken.push(await measure(bench, { server, size, failures }));
      }
      const found = findingsOf(size, samples);
      bench.show(workloadOf(size).label, found);
      findings.push(...found);
    }
    const notes = [
      `${objectsPerSize} objects of each size in turn, ${connections} connections, wrk.`,
      'overRam is CPU seconds per GB over those of hits in RAM; the page cache limit reads files synchronously into two buffers per connection.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

async function startServers({ server: options, options: { eddy } }: Bench): Promise<readonly Server[]> {
  const program = eddy === undefined ? {} : { program: eddy };
  const objects = sizes.flatMap((size) => {
    const bytes = workloadOf(size).objectBytes;
    return Array.from({ length: objectsPerSize }, (_none, i) => ({ bytes, name: `disk-${i}` }));
  });
  const nginx = contenders({}).find(({ id }) => id === 'nginx-sendfile-nopush');
  if (nginx === undefined) throw new Error('no nginx among the servers');
  return [
    await startEddy({ ...options, ...program, name: 'RAM hits' }),
    await startEddy({ ...options, ...program, name: 'disk hits', ramBytes: 0 }),
    await startRaw(options, objects),
    await nginx.start(options),
  ];
}

function namesOf(size: string): Names {
  return { bytes: workloadOf(size).objectBytes, prefix: 'disk-', first: 0, count: objectsPerSize };
}

/** Asks for every object until the origin is not asked any more: what goes to disk gets there after the answer. */
async function fill(
  { origin }: Bench,
  { server, size, failures }: { server: Server; size: string; failures: string[] },
): Promise<void> {
  for (let attempt = 0; attempt < fillAttemptsMax; attempt++) {
    const before = await origin.count();
    for (let i = 0; i < objectsPerSize; i++) {
      await getWhole(server.http + objectTarget(workloadOf(size).objectBytes, `disk-${i}`));
    }
    if ((await origin.count()).requests === before.requests) return;
    await delay(500);
  }
  failures.push(`${server.name}, ${size}: goes on asking the origin for what it should have`);
}

async function measure(
  { rig, origin, options }: Bench,
  { server, size, failures }: { server: Server; size: string; failures: string[] },
): Promise<Sample> {
  const url = server.http + objectTarget(workloadOf(size).objectBytes, 'disk-0');
  const before = await origin.count();
  const load = { url, connections, seconds: options.seconds, names: namesOf(size) };
  const taken = await sample(rig, { server, tool: 'wrk', load });
  const asked = (await origin.count()).requests - before.requests;
  if (asked > 0) failures.push(`${server.name}, ${size}: asked the origin ${asked} times`);
  if (taken.errors > 0) failures.push(`${server.name}, ${size}: ${taken.errors} errors`);
  return taken;
}

function findingsOf(size: string, samples: ReadonlyMap<Server, readonly Sample[]>): readonly Finding[] {
  const figures = [...samples].map(([server, taken]) => ({ server: server.name, ...figuresOf(taken) }));
  const ram = figures[0]?.cpuSecondsPerGb;
  return figures.map((each) => {
    const overRam = quotient(each.cpuSecondsPerGb, ram);
    return { size, ...each, overRam: overRam === undefined ? undefined : rounded(overRam, 3) };
  });
}
