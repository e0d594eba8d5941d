import { runWrk } from '../load/wrk.ts';
import { objectTarget } from '../objects.ts';
import { usageOf } from '../proc.ts';
import { emptyLogs } from '../rig.ts';
import { type EddyServer, startEddy } from '../servers/eddy.ts';
import { median, quotient, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const mebibyte = 1024 * 1024;
const ramBytes = 256 * mebibyte;
const objectBytes = 32 * 1024;
const connections = 16;
const roundSeconds = 5;
const roundsMax = 100;
const samplingMs = 500;
const passes = 2;

interface Reading {
  readonly seconds: number;
  readonly rssMb: number;
}

/** RSS while more URLs pass through than the RAM tier can hold. */
export const memory: Scenario = {
  id: 'memory',
  title: 'Memory under churn',
  programs: () => ['wrk'],
  run: async (bench) => {
    const { options, server: common } = bench;
    const urls = options.quick ? 20_000 : 100_000;
    const program = options.eddy === undefined ? {} : { program: options.eddy };
    const server = await startEddy({ ...common, ...program, ramBytes, diskBytes: 1024 * mebibyte });
    const failures: string[] = [];
    const { readings, requests } = await churn(bench, { server, urls, failures });
    const limitMb = rounded((ramBytes * 1.3) / 1e6 + 150);
    const findings = [findingOf(readings, { urls, requests, limitMb })];
    bench.show(`${urls} URLs, ${passes} times over`, findings);
    const xs = readings.map(({ seconds }) => seconds);
    const series = [{ name: 'RSS (dashed: the limit)', values: readings.map(({ rssMb }) => rssMb) }];
    const title = `RSS while ${urls} URLs pass ${passes} times through ${ramBytes / mebibyte} MiB of RAM tier`;
    return {
      findings,
      notes: [`The limit is 1.3 times the RAM budget and 150 MB. Objects of ${objectBytes / 1024} KB.`],
      charts: [{ kind: 'lines', title, unit: 'MB', axis: 'seconds', xs, series, mark: limitMb }],
      failures,
    };
  },
};

async function churn(
  { rig }: Bench,
  { server, urls, failures }: { server: EddyServer; urls: number; failures: string[] },
): Promise<{ readings: readonly Reading[]; requests: number }> {
  const readings: Reading[] = [];
  const startedMs = performance.now();
  const read = () => {
    const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
    readings.push({ seconds, rssMb: usageOf(server.pids).rssBytes / 1e6 });
  };
  read();
  const timer = setInterval(read, samplingMs);
  const url = server.http + objectTarget(objectBytes, 'memory');
  let requests = 0;
  try {
    for (let round = 0; round < roundsMax && requests < urls * passes; round++) {
      const names = { bytes: objectBytes, prefix: 'memory-', first: requests % urls, count: urls };
      const load = await runWrk(rig, { url, connections, seconds: roundSeconds, names });
      if (load.errors > 0) failures.push(`${load.errors} errors`);
      requests += load.requests;
      emptyLogs(server.logs);
    }
  } finally {
    clearInterval(timer);
  }
  if (requests < urls * passes) failures.push(`only ${requests} of ${urls * passes} requests in the time there is`);
  return { readings, requests };
}

function findingOf(
  readings: readonly Reading[],
  { urls, requests, limitMb }: { urls: number; requests: number; limitMb: number },
): Finding {
  const rss = readings.map(({ rssMb }) => rssMb);
  const third = Math.ceil(rss.length / 3);
  const [early, late] = [median(rss.slice(third, 2 * third)), median(rss.slice(2 * third))];
  return {
    urls,
    requests,
    seconds: rounded(readings.at(-1)?.seconds ?? 0, 3),
    startMb: rounded(rss[0] ?? 0),
    maxMb: rounded(Math.max(...rss)),
    limitMb,
    secondThirdMb: rounded(early ?? 0),
    lastThirdMb: rounded(late ?? 0),
    growth: rounded(quotient(late, early) ?? 0, 3),
  };
}
