import { diskStoredBytes, metricsOf, settled } from '../admin.ts';
import { runClient } from '../clients/client.ts';
import type { RateOptions, RateResult } from '../clients/rate.ts';
import { objectTarget } from '../objects.ts';
import { usageOf, writtenBy } from '../proc.ts';
import { emptyLogs } from '../rig.ts';
import { type EddyServer, startEddy } from '../servers/eddy.ts';
import { quotient, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const mebibyte = 1024 * 1024;
const objectBytes = mebibyte;
const connections = 32;
const bitsPerSecond = 500e6;
const graceMs = 30_000;
const settleTimeoutMs = 60_000;
const namesPerPhase = 10_000_000;

/** Bytes that reach the device for each byte that the disk tier takes, once it is full and must make room. */
export const writes: Scenario = {
  id: 'writes',
  title: 'Write amplification under churn',
  programs: () => ['wrk'],
  run: async (bench) => {
    const { options, server: common } = bench;
    const budgetBytes = (options.quick ? 256 : 1024) * mebibyte;
    const program = options.eddy === undefined ? {} : { program: options.eddy };
    const server = await startEddy({ ...common, ...program, ramBytes: 64 * mebibyte, diskBytes: budgetBytes });
    const failures: string[] = [];
    const findings: Finding[] = [];
    // The first budget's worth only fills it: churn begins when something must go.
    let first = 0;
    for (const [phase, budgets] of [
      ['filling', 1.2],
      ['churn', options.quick ? 2 : 4],
    ] as const) {
      const found = await churn(bench, { server, bytes: budgets * budgetBytes, first, failures });
      findings.push({ phase, ...found });
      first += namesPerPhase;
    }
    bench.show(`${budgetBytes / mebibyte} MiB of disk`, findings);
    const notes = [
      'Objects of 1 MB that nobody has asked for, at 500 Mb/s.',
      'Written is write_bytes of /proc/PID/io less cancelled_write_bytes; stored is what the disk tier took of pieces by its own metrics.',
      'Fetched is what the origin gave: where it exceeds stored, the writer could not keep up and left pieces out.',
    ];
    if (findings.some(({ writtenMb }) => writtenMb === 0)) {
      failures.push('nothing was written to a device: point TMPDIR to a file system that is not in memory');
    }
    return { findings, notes, charts: [], failures };
  },
};

async function churn(
  { rig, origin }: Bench,
  about: { server: EddyServer; bytes: number; first: number; failures: string[] },
): Promise<Finding> {
  const { server, bytes, first, failures } = about;
  const stored = async () => diskStoredBytes(await metricsOf(server));
  const written = async () => writtenBy(server.pids).writeBytes;
  const fetched = async () => (await origin.count()).bodyBytes;
  const before = {
    stored: await stored(),
    written: await written(),
    fetched: await fetched(),
    ...usageOf(server.pids),
  };
  const perSecond = bitsPerSecond / 8 / objectBytes;
  const seconds = Math.ceil(bytes / objectBytes / perSecond);
  const targets = [objectTarget(objectBytes, 'churn-{n}')];
  const options: RateOptions = { url: server.http, targets, first, perSecond, seconds, connections };
  const result: RateResult = await runClient(rig, 'rate', { options, timeoutMs: seconds * 1000 + graceMs });
  if (result.errors.length > 0) failures.push(`while filling: ${result.errors.join('; ')}`);
  emptyLogs(server.logs);
  await settled(written, settleTimeoutMs);
  const grown = {
    stored: (await stored()) - before.stored,
    written: (await written()) - before.written,
    fetched: (await fetched()) - before.fetched,
    cpuSeconds: usageOf(server.pids).cpuSeconds - before.cpuSeconds,
  };
  return {
    fetchedMb: rounded(grown.fetched / 1e6),
    storedMb: rounded(grown.stored / 1e6),
    writtenMb: rounded(grown.written / 1e6),
    writtenOverStored: rounded(quotient(grown.written, grown.stored) ?? 0),
    cpuSecondsPerGbFetched: rounded(quotient(grown.cpuSeconds * 1e9, grown.fetched) ?? 0, 3),
  };
}
