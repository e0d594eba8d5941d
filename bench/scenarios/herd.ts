import { runClient } from '../clients/client.ts';
import type { HerdOptions, HerdResult } from '../clients/herd.ts';
import { startAll } from '../fleet.ts';
import { objectTarget } from '../objects.ts';
import type { Server } from '../servers/server.ts';
import { percentile, rounded } from '../statistics.ts';
import { chosenContenders, fillContenders } from './chosen.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const segmentBytes = 2 * 1024 * 1024;
/** Long enough that all clients wait at once. */
const originDelayMs = 200;
const timeoutMs = 30_000;
const baselineRuns = 5;

/** A thousand clients on one segment that the cache does not have. */
export const herd: Scenario = {
  id: 'herd',
  title: 'The herd: many clients, one cold segment',
  programs: (options) => chosenContenders(options, fillContenders).flatMap(({ programs }) => programs),
  run: async (bench) => {
    const { options, origin } = bench;
    const clients = options.quick ? 200 : 1000;
    const servers = await startAll(chosenContenders(options, fillContenders), bench.server);
    await origin.setDelay(originDelayMs);
    const originMs = await originFirstByteMs(bench);
    const failures: string[] = [];
    const findings: Finding[] = [];
    for (let round = 0; round < options.rounds; round++) {
      for (const server of servers) {
        findings.push(await measure(bench, { server, round, clients, originMs, failures }));
      }
    }
    bench.show(`${clients} clients`, findings);
    const notes = [
      `A segment of 2 MB; the origin takes ${originDelayMs} ms, and gave a single client its first byte after ${rounded(originMs, 4)} ms.`,
      'Times are from sending the requests to the first byte of the body, less that of the origin. No client reads on before all have their first bytes.',
    ];
    return { findings, notes, charts: [], failures };
  },
};

async function originFirstByteMs({ rig, origin }: Bench): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < baselineRuns; i++) {
    const url = origin.url + objectTarget(segmentBytes, `herd-baseline-${i}`);
    const options: HerdOptions = { url, clients: 1, timeoutMs };
    const result = await runClient<HerdOptions, HerdResult>(rig, 'herd', { options, timeoutMs: timeoutMs * 2 });
    times.push(...result.firstByteMs);
  }
  return percentile(times, 0.5) ?? originDelayMs;
}

async function measure(
  { rig, origin }: Bench,
  about: { server: Server; round: number; clients: number; originMs: number; failures: string[] },
): Promise<Finding> {
  const { server, round, clients, originMs, failures } = about;
  const options: HerdOptions = { url: server.http + objectTarget(segmentBytes, `herd-${round}`), clients, timeoutMs };
  const before = await origin.count();
  const result = await runClient<HerdOptions, HerdResult>(rig, 'herd', { options, timeoutMs: timeoutMs * 2 });
  const after = await origin.count();
  if (result.complete < clients) {
    const why = result.errors.join('; ');
    failures.push(
      `${server.name}: ${clients - result.complete} of ${clients} clients without the whole segment: ${why}`,
    );
  }
  const later = (share: number) => rounded((percentile(result.firstByteMs, share) ?? Number.NaN) - originMs, 3);
  return {
    server: server.name,
    round: round + 1,
    originRequests: after.requests - before.requests,
    originBytesOverSegment: rounded((after.bodyBytes - before.bodyBytes) / segmentBytes, 3),
    firstByteP50Ms: later(0.5),
    firstByteP99Ms: later(0.99),
    firstByteMaxMs: later(1),
    allDoneMs: rounded(result.totalMs, 4),
    complete: result.complete,
  };
}
