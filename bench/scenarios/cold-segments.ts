import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CellNode, ProcessCell } from '../../test/support/cell.ts';
import { type Fetched, fetchChecked } from '../../test/support/cell-fetch.ts';
import { cellMedia, coldPath, KnownBytes } from '../../test/support/cell-media.ts';
import { CellOrigin } from '../../test/support/cell-origin.ts';
import { percentile, rounded } from '../statistics.ts';
import type { Bench, Finding } from './scenario.ts';

const nodes = 5;
/** How the origin answers, and how long after one segment the next is asked for. */
const conditions = [
  { name: 'at once', delayMs: 0, bytesPerSecond: 0, pauseMs: 0 },
  { name: 'at once, each 30 ms after the one before', delayMs: 0, bytesPerSecond: 0, pauseMs: 30 },
  { name: 'after 50 ms, 32 Mb/s', delayMs: 50, bytesPerSecond: 4_000_000, pauseMs: 0 },
] as const;
/** Not counted: code that runs for the first time is slow. */
const warmUpTurns = 40;
/** Of what the client compares with. */
const knownBytesMax = 16 * 1024 * 1024;
const laterMsMax = 15;
const slowerMax = 1.3;

/** A segment nobody has: read at the origin itself, at the node responsible for it, and at another one, in turns. */
export async function coldSegments(
  { options }: Bench,
  failures: string[],
): Promise<{ findings: readonly Finding[]; notes: readonly string[] }> {
  const origin = await CellOrigin.start();
  const cell = await ProcessCell.start(nodes, ['--origin', origin.url, '--log-level', 'warn']);
  try {
    const findings: Finding[] = [];
    for (const { name, pauseMs, ...answers } of conditions) {
      await origin.set(answers);
      findings.push(await inTurns(name, { cell, origin, turns: options.quick ? 20 : 100, pauseMs, failures }));
    }
    const notes = [
      `Cold segments of ${cellMedia.segmentBytes / 1e3} KB, one at a time in a cell of ${nodes}. Wanted: p95 of the first byte elsewhere at most ${laterMsMax} ms after the origin's own, the whole at most ${slowerMax} times the owner's.`,
      'Rows in the order they were measured: the nodes have just started in the first. Without a pause the collectors and writes to disk of one segment run beside the next, on the same two cores.',
    ];
    return { findings, notes };
  } finally {
    await cell.close();
    origin.close();
  }
}

async function inTurns(
  name: string,
  about: { cell: ProcessCell; origin: CellOrigin; turns: number; pauseMs: number; failures: string[] },
): Promise<Finding> {
  const { cell, origin, turns, pauseMs, failures } = about;
  const known = new KnownBytes(knownBytesMax);
  const got = { origin: [] as Fetched[], owner: [] as Fetched[], elsewhere: [] as Fetched[] };
  const agent = new Agent({ keepAlive: true });
  for (let turn = -warmUpTurns; turn < turns; turn++) {
    const [owner, other] = nodesOf(cell, turn + warmUpTurns);
    if (owner === undefined || other === undefined) continue;
    const urls = { origin: `${origin.url}/`, owner: owner.http, elsewhere: other.http };
    for (const [where, url] of Object.entries(urls) as [keyof typeof got, string][]) {
      const path = cell.pathOf(owner, (i) => coldPath(`${name.replaceAll(/\W/g, '')}-${where}-${turn}-${i}`));
      // Made before, so that it is not in the time of the first byte.
      known.of(path, { length: cellMedia.segmentBytes, version: 1 });
      await sleep(pauseMs);
      const fetched = await fetchChecked(url.replace(/\/$/, ''), path, { agent, known, media: cellMedia });
      if (fetched.fault === undefined && turn >= 0) got[where].push(fetched);
      else if (fetched.fault !== undefined) failures.push(`cold, ${where}: ${fetched.fault.detail}`);
    }
  }
  agent.destroy();
  const first = (where: keyof typeof got, share: number) =>
    percentile(
      got[where].map(({ firstByteMs }) => firstByteMs),
      share,
    ) ?? Number.NaN;
  const whole = (where: keyof typeof got, share: number) =>
    percentile(
      got[where].map(({ wholeMs }) => wholeMs),
      share,
    ) ?? Number.NaN;
  const later = first('elsewhere', 0.95) - first('origin', 0.95);
  const slower = whole('elsewhere', 0.5) / whole('owner', 0.5);
  if (!(later <= laterMsMax)) failures.push(`cold, origin ${name}: first byte ${rounded(later, 3)} ms later at p95`);
  if (!(slower <= slowerMax)) failures.push(`cold, origin ${name}: ${rounded(slower, 3)} times the owner's time`);
  return {
    ...{ kind: `cold, origin ${name}`, nodes, segments: turns },
    ...row('firstByteP50Ms', (where) => first(where, 0.5)),
    ...row('firstByteP95Ms', (where) => first(where, 0.95)),
    laterP95Ms: rounded(later, 3),
    ...row('wholeP50Ms', (where) => whole(where, 0.5)),
    ...row('wholeP95Ms', (where) => whole(where, 0.95)),
    wholeOverOwnerP50: rounded(slower, 3),
    wholeOverOwnerP95: rounded(whole('elsewhere', 0.95) / whole('owner', 0.95), 3),
  };

  function row(figure: string, of: (where: keyof typeof got) => number): Finding {
    const cell = (where: keyof typeof got) => rounded(of(where), 3);
    return { [figure]: `origin ${cell('origin')}, owner ${cell('owner')}, elsewhere ${cell('elsewhere')}` };
  }
}

/** A node that is responsible, and another one. */
function nodesOf(cell: ProcessCell, turn: number): readonly [CellNode | undefined, CellNode | undefined] {
  return [cell.nodes[turn % nodes], cell.nodes[(turn + 1 + (turn % (nodes - 1))) % nodes]];
}
