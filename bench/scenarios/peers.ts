import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runClient } from '../clients/client.ts';
import type { RateOptions, RateResult } from '../clients/rate.ts';
import { getWhole } from '../get.ts';
import { objectTarget } from '../objects.ts';
import type { AskerOptions, AskerResult } from '../peer-plane/asker.ts';
import type { GiverOptions } from '../peer-plane/giver.ts';
import { until } from '../rig.ts';
import { type EddyServer, startEddy } from '../servers/eddy.ts';
import { quotient, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario } from './scenario.ts';

const pieceBytes = 1024 * 1024;
const inFlight = 4;
const modes = ['bare', 'bare-blake3', 'plane'] as const;
const objects = 64;
const hitsPerSecond = 1_000;
const hitConnections = 64;
const graceMs = 20_000;
const readyTimeoutMs = 30_000;
/** 0: none; Infinity: as fast as it goes. */
const rates = [0, 100e6, Number.POSITIVE_INFINITY] as const;

interface Giver {
  readonly pid: number;
  readonly address: string;
  stop(): Promise<void>;
}

/** What giving to peers costs, beside a bare stream of the same libp2p stack, and what viewers notice of it. */
export const peers: Scenario = {
  id: 'peers',
  title: 'Giving to peers: throughput, and hits beside it',
  programs: () => [],
  run: async (bench) => {
    const cell = { name: 'bench', keyHex: randomBytes(32).toString('hex') };
    const throughput = await throughputRows(bench, cell);
    bench.show(`${pieceBytes / 1024 ** 2} MB pieces from memory, ${inFlight} at a time`, throughput);
    const failures: string[] = [];
    const beside = await besideRows(bench, { cell, failures });
    bench.show(`${hitsPerSecond} hits/s of 1 KB, beside what peers take`, beside);
    const notes = [
      'Giver on the first core, taker on the second. MB per CPU second: user and system time of both ends together.',
      '`bare`: one libp2p stream over TLS on the socket and yamux, 64 KB sends, nothing checked; `bare-blake3`: with BLAKE3 of all of it on receipt; `plane`: requests, credit, digests, all that src/peers does, given to nobody.',
      `Hits are sent at their time on ${hitConnections} connections, whether or not earlier ones were answered. Client and taker share the second core, the taker with SCHED_IDLE, so that it is not what the client waits for.`,
    ];
    return { findings: [...throughput, ...beside], notes, charts: [], failures };
  },
};

type Cell = GiverOptions['cell'];

async function throughputRows(bench: Bench, cell: Cell): Promise<readonly Finding[]> {
  const { rounds, seconds } = bench.options;
  const bare = await startGiver(bench, { mode: 'bare', pieceBytes, cell, bootstrap: [] });
  const plane = await startGiver(bench, { mode: 'plane', pieceBytes, cell, bootstrap: [] });
  const results = new Map<string, AskerResult[]>(modes.map((mode) => [mode, []]));
  for (let round = 0; round < rounds; round++)
    for (const mode of round % 2 === 0 ? modes : modes.toReversed()) {
      const giver = mode === 'plane' ? plane : bare;
      const about = { mode, seconds, bytesPerSecond: 0, target: '/piece-{n}', targets: objects };
      results.get(mode)?.push(await ask(bench, { ...about, giver, cell, yields: false }));
    }
  await Promise.all([bare.stop(), plane.stop()]);
  const efficiency = (mode: string) => perCpuSecond(results.get(mode) ?? []);
  return [...results].map(([mode, all]) => ({
    mode,
    mbPerSecond: rounded(all.reduce((sum, each) => sum + each.bytes / each.seconds, 0) / all.length / 1e6),
    mbPerCpuSecond: rounded(efficiency(mode)),
    overBare: rounded(efficiency(mode) / efficiency('bare'), 3),
    overBareBlake3: rounded(efficiency(mode) / efficiency('bare-blake3'), 3),
    giverSecondsPerGb: rounded(cpuPerGb(all, 'giverCpuSeconds'), 3),
    askerSecondsPerGb: rounded(cpuPerGb(all, 'askerCpuSeconds'), 3),
    rounds: all.map((each) => Math.round(perCpuSecond([each]))).join(' '),
  }));
}

/** 1 KB hits at a node, alone and while it gives to a peer. */
async function besideRows(
  bench: Bench,
  { cell, failures }: { cell: Cell; failures: string[] },
): Promise<readonly Finding[]> {
  const { rig, options } = bench;
  const keyFile = join(rig.directory, 'cell.key');
  writeFileSync(keyFile, cell.keyHex);
  const args = ['--cell', cell.name, '--cell-key', keyFile, '--peer-listen', '/ip4/127.0.0.1/tcp/0'];
  const program = options.eddy === undefined ? {} : { program: options.eddy };
  const node = await startEddy({ ...bench.server, ...program, args });
  const [pid = 0] = node.pids;
  const target = objectTarget(pieceBytes, 'given-{n}');
  for (let n = 0; n < objects * 4; n++) await getWhole(node.http + target.replace('{n}', String(n)));
  const hit = objectTarget(1024, 'hit');
  for (let i = 0; i < 3; i++) await getWhole(node.http + hit);
  const findings: Finding[] = [];
  let idle: RateResult | undefined;
  for (let round = 0; round < options.rounds; round++)
    for (const rate of rates) {
      const seconds = options.seconds + 3;
      const bytesPerSecond = Number.isFinite(rate) ? rate : 0;
      const about = { mode: 'plane', seconds, bytesPerSecond, target, targets: objects } as const;
      const taking =
        rate === 0 ? undefined : ask(bench, { ...about, giver: { pid, address: node.peer }, cell, yields: true });
      if (rate !== 0) await new Promise((resolve) => setTimeout(resolve, 2_500));
      const hits = await runHits(bench, { node, hit, seconds: options.seconds });
      const taken = await taking;
      if (rate === 0) idle = hits;
      if (hits.errors.length > 0) failures.push(hits.errors.join('; '));
      const ratio = quotient(hits.p99Ms, idle?.p99Ms);
      if (rate === 100e6 && !((ratio ?? 0) <= 2)) failures.push(`p99 beside 100 MB/s: ${ratio} times the idle node's`);
      findings.push({
        ...{ peers: rateText(rate), round: round + 1 },
        mbPerSecond: taken && rounded(taken.bytes / taken.seconds / 1e6),
        ...{ p50Ms: fixed(hits.p50Ms), p99Ms: fixed(hits.p99Ms), p999Ms: fixed(hits.p999Ms) },
        p99OverIdle: fixed(ratio),
        nodeCpu: taken && rounded(taken.giverCpuSeconds / taken.seconds, 3),
      });
    }
  return findings;
}

async function startGiver({ rig }: Bench, options: GiverOptions): Promise<Giver> {
  const file = fileURLToPath(new URL('../peer-plane/giver.ts', import.meta.url));
  const running = rig.start([process.execPath, file, JSON.stringify(options)], {
    core: rig.serverCore,
    env: { BENCH_DIRECTORY: rig.directory },
  });
  const found = async () => JSON.parse(readFileSync(running.log, 'utf8').trim()) as { address: string };
  const { address } = await until(found, { what: 'the giver', timeoutMs: readyTimeoutMs, running });
  return { pid: running.pid, address, stop: () => running.stop() };
}

async function ask(
  { rig }: Bench,
  {
    giver,
    yields,
    ...about
  }: Omit<AskerOptions, 'address' | 'giverPid' | 'pieceBytes' | 'inFlight' | 'bootstrap'> & {
    giver: Pick<Giver, 'pid' | 'address'>;
    /** Whether whoever else runs on its core goes first, at once. */
    yields: boolean;
  },
): Promise<AskerResult> {
  const { address, pid: giverPid } = giver;
  const options = { ...about, address, giverPid, pieceBytes, inFlight, bootstrap: [address] };
  const file = fileURLToPath(new URL('../peer-plane/asker.ts', import.meta.url));
  const command = [process.execPath, file, JSON.stringify(options)];
  const timeoutMs = about.seconds * 1000 + graceMs;
  return JSON.parse(await rig.run(command, { core: rig.loadCore, timeoutMs, yields })) as AskerResult;
}

function runHits(
  { rig }: Bench,
  { node, hit, seconds }: { node: EddyServer; hit: string; seconds: number },
): Promise<RateResult> {
  const targets = [hit];
  const connections = hitConnections;
  const options: RateOptions = { url: node.http, targets, first: 0, perSecond: hitsPerSecond, seconds, connections };
  return runClient(rig, 'rate', { options, timeoutMs: seconds * 1000 + graceMs });
}

function rateText(rate: number): string {
  if (rate === 0) return 'none';
  return rate === 100e6 ? '100 MB/s' : 'full rate';
}

function perCpuSecond(all: readonly AskerResult[]): number {
  const seconds = all.reduce((sum, each) => sum + each.giverCpuSeconds + each.askerCpuSeconds, 0);
  return all.reduce((sum, { bytes }) => sum + bytes, 0) / seconds / 1e6;
}

function cpuPerGb(all: readonly AskerResult[], which: 'giverCpuSeconds' | 'askerCpuSeconds'): number {
  const seconds = all.reduce((sum, each) => sum + each[which], 0);
  return (seconds * 1e9) / all.reduce((sum, { bytes }) => sum + bytes, 0);
}

function fixed(value: number | undefined): number | undefined {
  return value === undefined ? undefined : rounded(value, 3);
}
