import { startAll } from '../fleet.ts';
import { figuresOf, type Sample, sample } from '../measure.ts';
import { objectTarget, workloadOf } from '../objects.ts';
import type { Server } from '../servers/server.ts';
import { quotient, rounded, sum } from '../statistics.ts';
import { chosenContenders, fillContenders } from './chosen.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const sizes: readonly string[] = ['256k', '2m'];
const connections = 16;
/** So many names fit between two runs that no name is used twice. */
const namesPerRun = 10_000_000;

/** Every request for an object that nobody has asked for. */
export const cold: Scenario = {
  id: 'cold',
  title: 'Cold fills',
  programs: (options) => [...chosenContenders(options, fillContenders).flatMap(({ programs }) => programs), 'wrk'],
  run: async (bench) => {
    const { options } = bench;
    const servers = await startAll(chosenContenders(options, fillContenders), bench.server);
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const [cell, size] of sizes.entries()) {
      const taken = new Map(servers.map((server) => [server, [] as Filled[]]));
      for (let round = 0; round < options.rounds; round++) {
        const first = (cell * options.rounds + round) * namesPerRun;
        for (const [server, samples] of taken) samples.push(await measure(bench, { server, size, first, failures }));
      }
      const found = [...taken].map(([server, samples]) => findingOf(size, { server, samples }));
      bench.show(`${workloadOf(size).label}, ${connections} connections`, found);
      findings.push(...found);
    }
    const notes = [
      'Origin, load generator and this program share the core beside the server: compare CPU, not requests per second.',
      'originPerRequest is requests to the origin for each response; over 1 by those that were under way at the end.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

interface Filled extends Sample {
  readonly originRequests: number;
}

async function measure(
  { rig, origin, options }: Bench,
  { server, size, first, failures }: { server: Server; size: string; first: number; failures: string[] },
): Promise<Filled> {
  const { objectBytes: bytes } = workloadOf(size);
  const names = { bytes, prefix: 'cold-', first, count: Number.MAX_SAFE_INTEGER };
  const before = await origin.count();
  const load = { url: server.http + objectTarget(bytes, 'cold'), connections, seconds: options.seconds, names };
  const taken = await sample(rig, { server, tool: 'wrk', load });
  if (taken.errors > 0) failures.push(`${server.name}, ${size}: ${taken.errors} errors`);
  return { ...taken, originRequests: (await origin.count()).requests - before.requests };
}

function findingOf(size: string, { server, samples }: { server: Server; samples: readonly Filled[] }): Finding {
  const asked = sum(samples.map(({ originRequests }) => originRequests));
  const answered = sum(samples.map(({ requests }) => requests));
  const originPerRequest = quotient(asked, answered);
  return {
    size,
    server: server.name,
    ...figuresOf(samples),
    originPerRequest: originPerRequest === undefined ? undefined : rounded(originPerRequest, 3),
  };
}
