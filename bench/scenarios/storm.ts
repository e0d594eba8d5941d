import { setTimeout as sleep } from 'node:timers/promises';
import { type CellNode, ProcessCell } from '../../test/support/cell.ts';
import { Audience } from '../../test/support/cell-audience.ts';
import { cellMedia } from '../../test/support/cell-media.ts';
import { CellOrigin } from '../../test/support/cell-origin.ts';
import { showSentAgain } from '../sent-again.ts';
import { percentile, rounded } from '../statistics.ts';
import type { Finding, Scenario } from './scenario.ts';

const nodesNormally = 10;
/** Of the nodes, each minute. */
const churnShare = 0.3;
const awayMs = 8_000;
const viewersEach = 4;
const fileViewersEach = 2;
const stepMs = 2_000;
/** A machine that is busy with something else is no reason to end. */
const readyTimeoutMs = 180_000;

interface Storm {
  readonly cell: ProcessCell;
  readonly origin: CellOrigin;
  readonly audience: Audience<CellNode>;
  left: number;
  joined: number;
}

/** Nodes come and go while viewers watch. */
export const storm: Scenario = {
  id: 'storm',
  title: 'The storm: 30% of the nodes leave and come back each minute',
  programs: () => [],
  run: async (bench) => {
    const { options, rig } = bench;
    const nodes = options.nodes?.at(-1) ?? nodesNormally;
    const origin = await CellOrigin.start();
    const cell = await ProcessCell.start(nodes, ['--origin', origin.urlFor(), '--log-level', 'warn'], {
      readyTimeoutMs,
    });
    const audience = new Audience({ media: cellMedia, open: () => cell.running, moveShare: 0.02 });
    const state: Storm = { cell, origin, audience, left: 0, joined: 0 };
    const names = Array.from({ length: 60 }, (_none, i) => `film-${i}`);
    for (const node of cell.nodes) {
      audience.watchLive(node, viewersEach);
      audience.watchFiles(node, { viewers: fileViewersEach, names, stepMs });
    }
    const findings: Finding[] = [];
    const failures: string[] = [];
    const said = { faults: 0, late: 0 };
    try {
      for (let minute = 1; minute <= options.minutes; minute++) {
        findings.push(await measured(state, { phase: `minute ${minute}`, work: () => churn(state, rig.signal) }));
        bench.show('So far', findings);
        for (const each of [...audience.faults.slice(said.faults), ...audience.late.slice(said.late).slice(0, 5)])
          bench.say(`  ${each}`);
        Object.assign(said, { faults: audience.faults.length, late: audience.late.length });
      }
      await cell.met();
      findings.push(await measured(state, { phase: 'after', work: () => sleep(30_000) }));
      await showSentAgain(bench, { origin, cell, asked: audience.askedBytes() });
    } finally {
      await audience.stop();
      await cell.close();
      origin.close();
    }
    bench.show('The storm', findings);
    failures.push(...audience.faults.slice(0, 10), ...audience.late.slice(0, 10).map((late) => `late: ${late}`));
    const worst = Math.max(...findings.slice(0, -1).map(({ amplification }) => Number(amplification)));
    if (!(worst < 1.5)) failures.push(`amplification ${worst} in the storm: at most 1.5`);
    const after = Number(findings.at(-1)?.['amplification']);
    if (!(after <= 1.05)) failures.push(`amplification ${after} after the storm: at most 1.05`);
    const notes = [
      `${nodes} nodes, ${viewersEach} viewers of a live channel and ${fileViewersEach} of files on each; every ${60 / leavingEachMinute(nodes)} s a node leaves, every second one by kill -9, the others by SIGTERM, and comes back ${awayMs / 1000} s later with its identity and disk. Viewers of a node that is gone go to another.`,
      `${audience.excusedFaults} requests broke because their own node was killed; every byte of all others was checked.`,
    ];
    return { findings, notes, charts: [], failures };
  },
};

function leavingEachMinute(nodes: number): number {
  return Math.max(1, Math.round(nodes * churnShare));
}

/** One minute of it. */
async function churn(state: Storm, signal: AbortSignal): Promise<void> {
  const count = leavingEachMinute(state.cell.nodes.length);
  for (let i = 0; i < count; i++) {
    const leaving = leaveAndReturn(state, signal);
    await Promise.all([leaving, sleep(60_000 / count, undefined, { signal })]);
  }
}

async function leaveAndReturn(state: Storm, signal: AbortSignal): Promise<void> {
  const { cell, audience } = state;
  const candidates = cell.running;
  const node = candidates[Math.floor(Math.random() * candidates.length)];
  if (node === undefined) return;
  audience.excuse(node);
  if (state.left++ % 2 === 0) await node.kill();
  else await node.stop();
  await sleep(awayMs, undefined, { signal });
  await cell.restart(node);
  state.joined++;
}

async function measured(
  state: Storm,
  { phase, work }: { phase: string; work: () => Promise<unknown> },
): Promise<Finding> {
  const { audience, origin } = state;
  const figures = async () => {
    const { bodyBytes } = await origin.count();
    const { faults, late, wholeMs, firstByteMs } = audience;
    const counted = { faults: faults.length, late: late.length, from: wholeMs.length, firstFrom: firstByteMs.length };
    return { bodyBytes, unique: audience.uniqueBytes(), ...counted, left: state.left, joined: state.joined };
  };
  const before = await figures();
  await work();
  const after = await figures();
  const times = audience.wholeMs.slice(before.from);
  return {
    ...{ phase, left: after.left - before.left, joined: after.joined - before.joined },
    amplification: rounded((after.bodyBytes - before.bodyBytes) / (after.unique - before.unique), 4),
    ...{ answers: times.length, late: after.late - before.late, ...kindsOf(audience.faults.slice(before.faults)) },
    firstByteP99Ms: rounded(percentile(audience.firstByteMs.slice(before.firstFrom), 0.99) ?? 0, 3),
    wholeP99Ms: rounded(percentile(times, 0.99) ?? 0, 3),
    wholeMaxMs: rounded(percentile(times, 1) ?? 0, 3),
  };
}

function kindsOf(faults: readonly string[]): Finding {
  const of = (kind: string) => faults.filter((each) => each.startsWith(`${kind}: `)).length;
  return { wrongBytes: of('wrong'), errorStatuses: of('status'), cutOff: of('cut') };
}
