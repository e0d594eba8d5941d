import { runClient } from '../clients/client.ts';
import type { RateOptions, RateResult } from '../clients/rate.ts';
import { startAll } from '../fleet.ts';
import { getWhole } from '../get.ts';
import { objectTarget } from '../objects.ts';
import { emptyLogs } from '../rig.ts';
import { startEddy } from '../servers/eddy.ts';
import type { Server } from '../servers/server.ts';
import { quotient, rounded } from '../statistics.ts';
import { chosenContenders, fillContenders } from './chosen.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const hitBytes = 256 * 1024;
const hitObjects = 32;
const hitsPerSecond = 400;
const fillBytes = 2 * 1024 * 1024;
const fillBitsPerSecond = 500e6;
const connections = 64;
const graceMs = 20_000;
const namesPerRun = 1_000_000;

/** Hits at a steady rate, alone and beside fills at a steady rate: the fills must not be felt. */
export const mixed: Scenario = {
  id: 'mixed',
  title: 'Hits while filling at 500 Mb/s',
  programs: (options) => chosenContenders(options, fillContenders).flatMap(({ programs }) => programs),
  run: async (bench) => {
    const { options, server } = bench;
    const servers = [...(await startAll(chosenContenders(options, fillContenders), server))];
    if (servers.some(({ product }) => product === 'eddy')) {
      const program = options.eddy === undefined ? {} : { program: options.eddy };
      const name = 'Eddy, RAM tier off';
      servers.push(await startEddy({ ...server, ...program, name, ramBytes: 0, diskBytes: 1024 ** 3 }));
    }
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (const each of servers) await warm(each);
    for (let round = 0; round < options.rounds; round++) {
      for (const each of servers) findings.push(await measure(bench, { server: each, round, failures }));
    }
    bench.show(`${hitsPerSecond} hits/s of 256 KB`, findings);
    const notes = [
      `${hitsPerSecond} hits/s over ${hitObjects} objects of 256 KB, ${connections} connections; fills of 2 MB objects at 500 Mb/s.`,
      'Requests are sent at their time whether or not earlier ones were answered. Both clients and the origin share the core beside the server.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

async function warm(server: Server): Promise<void> {
  for (let pass = 0; pass < 3; pass++) {
    for (const target of hitTargets()) await getWhole(server.http + target);
  }
}

function hitTargets(): readonly string[] {
  return Array.from({ length: hitObjects }, (_none, i) => objectTarget(hitBytes, `mixed-hit-${i}`));
}

async function measure(
  bench: Bench,
  { server, round, failures }: { server: Server; round: number; failures: string[] },
): Promise<Finding> {
  const { seconds } = bench.options;
  const alone = await runHits(bench, server, seconds);
  const filling = runFills(bench, server, { seconds: seconds + 2, first: round * namesPerRun });
  const beside = await runHits(bench, server, seconds);
  const fills = await filling;
  emptyLogs(server.logs);
  for (const [what, { errors, sent, answered }] of Object.entries({ alone, beside, fills })) {
    if (errors.length > 0)
      failures.push(`${server.name}, ${what}: ${sent - answered} of ${sent} lost: ${errors.join('; ')}`);
  }
  const p99Ratio = quotient(beside.p99Ms, alone.p99Ms);
  return {
    server: server.name,
    round: round + 1,
    aloneP50Ms: fixed(alone.p50Ms),
    aloneP99Ms: fixed(alone.p99Ms),
    aloneP999Ms: fixed(alone.p999Ms),
    fillingP50Ms: fixed(beside.p50Ms),
    fillingP99Ms: fixed(beside.p99Ms),
    fillingP999Ms: fixed(beside.p999Ms),
    fillingMaxMs: fixed(beside.maxMs),
    p99Ratio: fixed(p99Ratio),
    fillMbps: fixed((fills.bodyBytes * 8) / fills.seconds / 1e6),
  };
}

function runHits({ rig }: Bench, server: Server, seconds: number): Promise<RateResult> {
  const options: RateOptions = {
    url: server.http,
    targets: hitTargets(),
    first: 0,
    perSecond: hitsPerSecond,
    seconds,
    connections,
  };
  return runClient(rig, 'rate', { options, timeoutMs: seconds * 1000 + graceMs });
}

function runFills(
  { rig }: Bench,
  server: Server,
  { seconds, first }: { seconds: number; first: number },
): Promise<RateResult> {
  const target = objectTarget(fillBytes, 'mixed-fill-{n}');
  const perSecond = fillBitsPerSecond / 8 / fillBytes;
  const options: RateOptions = { url: server.http, targets: [target], first, perSecond, seconds, connections };
  return runClient(rig, 'rate', { options, timeoutMs: seconds * 1000 + graceMs });
}

function fixed(value: number | undefined): number | undefined {
  return value === undefined ? undefined : rounded(value, 3);
}
