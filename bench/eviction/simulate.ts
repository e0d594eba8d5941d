// Replays made-up viewing traces against eviction policies: node bench/eviction/simulate.ts [--seed N] [--accesses N]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Arc } from './policies/arc.ts';
import { Fifo, Lru } from './policies/fifo.ts';
import type { Build } from './policies/policy.ts';
import { RamAdmission } from './policies/ram-tier.ts';
import { Ring, type RingOptions } from './policies/ring.ts';
import { S3Fifo } from './policies/s3fifo.ts';
import { Sieve } from './policies/sieve.ts';
import { TinyLfu, type TinyLfuOptions } from './policies/tinylfu.ts';
import { type Outcome, replay } from './replay.ts';
import { standardTraces } from './standard-traces.ts';
import type { Trace } from './trace.ts';

const ramShares = [0.01, 0.05, 0.1, 0.25];
const diskShares = [0.05, 0.1, 0.25];
/** The RAM tier in front of the simulated disk, as a share of the disk's budget. */
const ramOfDisk = 1 / 8;

const tinyLfu =
  (options: TinyLfuOptions): Build =>
  (budget) =>
    new TinyLfu(budget, options);
const ring =
  (options: RingOptions): Build =>
  (budget) =>
    new Ring(budget, options);

const ramPolicies: Build[] = [
  (budget) => new Fifo(budget),
  (budget) => new Lru(budget),
  (budget) => new Sieve(budget),
  (budget) => new S3Fifo(budget),
  (budget) => new Arc(budget),
  tinyLfu({ window: 0.01 }),
  tinyLfu({ window: 0.05 }),
  tinyLfu({ window: 0.2 }),
  tinyLfu({ window: 0.05, contest: 'sum' }),
  tinyLfu({ window: 0.05, contest: 'per-byte' }),
  tinyLfu({ window: 0.05, protected: 0 }),
  tinyLfu({ window: 0.05, burst: 0.05 }),
  (budget) => new RamAdmission(budget),
];

const diskPolicies: Build[] = [
  (budget) => new Lru(budget),
  (budget) => new S3Fifo(budget),
  ring({}),
  ring({ reappendHits: 1 }),
  ring({ reappendHits: 1, reappendShareMax: 0.25 }),
  ring({ reappendHits: 2 }),
  ring({ reappendUses: 3, reappendShareMax: 0.125 }),
  ring({ reappendUses: 3, reappendShareMax: 0.25 }),
  ring({ reappendUses: 3 }),
  ring({ reappendUses: 6 }),
  ring({ admission: 'second-miss' }),
  ring({ admission: 'second-miss', reappendHits: 1 }),
  ring({ admission: 'second-miss', reappendUses: 3, reappendShareMax: 0.25 }),
];

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, accesses: { type: 'string', default: '700000' } },
});
const [seed, accesses] = [Number(values.seed), Number(values.accesses)];
const traces = standardTraces({ seed, accesses });
const ramCases = traces.flatMap((trace) => ramShares.map((share) => caseOf({ trace, share, ramShare: 0 })));
const diskCases = traces.flatMap((trace) => diskShares.map((share) => caseOf({ trace, share, ramShare: ramOfDisk })));
const ram = ramPolicies.map((build) => row(build, ramCases));
const disk = diskPolicies.map((build) => row(build, diskCases));

for (const { name, footprintBytes, sizes } of traces)
  console.log(`${name}: footprint ${(footprintBytes / 2 ** 30).toFixed(1)} GiB, ${sizes.length} pieces`);
print('RAM: byte hit ratio, %', ram, (each) => percent(each.byteHitRatio));
print('RAM: piece hit ratio, %', ram, (each) => percent(each.pieceHitRatio));
const behind = `disk behind RAM of 1/${1 / ramOfDisk} its size`;
print(`${behind}: byte hit ratio of both, %`, disk, (each) => percent(each.byteHitRatio));
print(`${behind}: bytes written / bytes admitted`, disk, (each) => each.writeAmplification.toFixed(2));
print(`${behind}: bytes written / bytes requested`, disk, (each) => each.writtenShare.toFixed(2));
const results = { seed, accesses, ramOfDisk, ram, disk };
const rounded = JSON.stringify(
  results,
  (_, value) => (typeof value === 'number' ? Number(value.toFixed(4)) : value),
  1,
);
writeFileSync(new URL('results.json', import.meta.url), `${rounded}\n`);

interface Row {
  readonly policy: string;
  readonly outcomes: readonly (Outcome & { readonly trace: string; readonly share: number })[];
}

interface Case {
  readonly trace: Trace;
  /** Budget as a share of the footprint. */
  readonly share: number;
  readonly bytesMax: number;
  /** Accesses that a RAM tier in front answers: they never reach the policy. */
  readonly answered: Uint8Array | undefined;
}

function caseOf({ trace, share, ramShare }: { trace: Trace; share: number; ramShare: number }): Case {
  const bytesMax = Math.floor(trace.footprintBytes * share);
  if (ramShare === 0) return { trace, share, bytesMax, answered: undefined };
  const tier = new RamAdmission({ sizes: trace.sizes, bytesMax: Math.floor(bytesMax * ramShare) });
  const answered = Uint8Array.from(trace.accesses, (key) => (tier.access(key) ? 1 : 0));
  return { trace, share, bytesMax, answered };
}

function row(build: Build, cases: readonly Case[]): Row {
  const outcomes = cases.map(({ trace, share, bytesMax, answered }) => {
    const policy = build({ sizes: trace.sizes, bytesMax });
    return { policy: policy.name, trace: trace.name, share, ...replay(trace, policy, answered) };
  });
  return { policy: outcomes[0]?.policy ?? '', outcomes: outcomes.map(({ policy: _, ...rest }) => rest) };
}

function print(title: string, rows: readonly Row[], cell: (outcome: Outcome) => string): void {
  const [first] = rows;
  if (first === undefined) return;
  console.log(`\n${title}`);
  const heads = first.outcomes.map(({ trace, share }) => `${trace} ${share * 100}%`.padStart(11));
  console.log(`${'policy'.padEnd(42)}${heads.join('')}${'mean'.padStart(8)}`);
  for (const { policy, outcomes } of rows) {
    const cells = outcomes.map((each) => cell(each).padStart(11));
    const mean = outcomes.reduce((sum, each) => sum + Number(cell(each)), 0) / outcomes.length;
    console.log(`${policy.padEnd(42)}${cells.join('')}${mean.toFixed(2).padStart(8)}`);
  }
}

function percent(share: number): string {
  return (share * 100).toFixed(1);
}
