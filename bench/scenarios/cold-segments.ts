import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CellNode, ProcessCell } from '../../test/support/cell.ts';
import { type Fetched, fetchChecked } from '../../test/support/cell-fetch.ts';
import { type CellMedia, coldPath, filePath, KnownBytes, lengthOf } from '../../test/support/cell-media.ts';
import { CellOrigin } from '../../test/support/cell-origin.ts';
import { allowedCores } from '../proc.ts';
import { nginxVariants, startNginx } from '../servers/nginx.ts';
import type { Server } from '../servers/server.ts';
import { percentile, rounded } from '../statistics.ts';
import type { Bench, Finding, Scenario, ScenarioResult } from './scenario.ts';

const nodes = 5;
/** More than the little that tests give nodes, with which V8 marks their heaps every few segments. */
const budgets = ['--ram', '256MiB', '--disk', '2GiB'];
/** 2 s at 2 and at 16 Mb/s. */
const media: CellMedia = { segmentMs: 2_000, segmentBytes: 500_000, fileBytes: 4_000_000 };
/** How the origin answers, how long after one segment the next is asked for, and how many of them. */
const conditions = [
  {
    name: 'at once, 4 MB, 250 ms between them',
    delayMs: 0,
    bytesPerSecond: 0,
    pauseMs: 250,
    path: filePath,
    share: 0.5,
  },
  { name: 'at once', delayMs: 0, bytesPerSecond: 0, pauseMs: 0, path: coldPath, share: 1 },
  { name: 'at once, 250 ms between them', delayMs: 0, bytesPerSecond: 0, pauseMs: 250, path: coldPath, share: 0.5 },
  { name: 'after 50 ms, 32 Mb/s', delayMs: 50, bytesPerSecond: 4_000_000, pauseMs: 0, path: coldPath, share: 0.5 },
] as const;
type Condition = (typeof conditions)[number];
/**
 * Not counted: until each node has compiled its code, and has its RAM tier full, as a node has that serves. Memory that is
 * touched for the first time costs a fault for each page.
 */
const fillTurns = 120;
/** After a change of how the origin answers. */
const warmUpTurns = 20;
/** Of what the client compares with. */
const knownBytesMax = 32 * 1024 * 1024;
const laterMsMax = 15;
const slowerMax = 1.3;

type Place = 'origin' | 'owner' | 'elsewhere' | 'nginx' | 'nginx of nginx';
type Got = Readonly<Record<Place, Fetched[]>>;

/**
 * A segment nobody has: read at the origin itself, at the node responsible for it, and at another one, in turns. Beside
 * them one nginx that asks the origin, and one that asks another over TLS, which checks nothing.
 */
export const coldSegments: Scenario = {
  id: 'cold-segments',
  title: 'The cell: cold segments, one at a time',
  programs: () => ['nginx'],
  run: measure,
};

async function measure(bench: Bench): Promise<ScenarioResult> {
  const { options, show } = bench;
  const failures: string[] = [];
  const origin = await CellOrigin.start({ media });
  const nginx = await nginxBehindNginx(bench, origin.url);
  const cell = await ProcessCell.start(nodes, ['--origin', origin.url, '--log-level', 'warn', ...budgets]);
  try {
    const findings: Finding[] = [];
    for (const [i, condition] of conditions.entries()) {
      const { delayMs, bytesPerSecond, share } = condition;
      await origin.set({ delayMs, bytesPerSecond });
      const turns = Math.round((options.quick ? 20 : 100) * share);
      const unmeasured = i === 0 ? fillTurns : warmUpTurns;
      findings.push(await inTurns(condition, { cell, origin, nginx, turns, unmeasured, failures }));
      show(`${nodes} nodes`, findings.slice(-1));
    }
    const notes = [
      `Cold segments of ${media.segmentBytes / 1e3} KB and of ${media.fileBytes / 1e6} MB, one at a time in a cell of ${nodes}. Wanted: p95 of the first byte elsewhere at most ${laterMsMax} ms after the origin's own, the whole at most ${slowerMax} times the owner's.`,
      `Each node has its RAM tier of 256 MiB full, 2 GiB on disk, and its code compiled: ${fillTurns} turns come before the first row. Without a pause the collectors and writes to disk of one segment run beside the next, on the same two cores.`,
      'Of nginx, one that asks the origin, and one that asks another over TLS: what the second hop costs whoever checks nothing.',
    ];
    return { findings, notes, charts: [], failures };
  } finally {
    await cell.close();
    await Promise.all(nginx.map((each) => each.stop()));
    origin.close();
  }
}

/** The one that asks the origin, and the one that asks it. */
async function nginxBehindNginx({ server }: Bench, origin: string): Promise<readonly [Server, Server]> {
  const [variant] = nginxVariants;
  if (variant === undefined) throw new Error('no way to set up nginx');
  const options = { ...server, variant, version: '', cores: allowedCores() };
  const first = await startNginx({ ...options, origin });
  if (first.https === undefined) throw new Error('nginx has no TLS');
  return [first, await startNginx({ ...options, origin: first.https })];
}

async function inTurns(
  { name, pauseMs, path: pathFor }: Condition,
  about: {
    cell: ProcessCell;
    origin: CellOrigin;
    nginx: readonly [Server, Server];
    turns: number;
    unmeasured: number;
    failures: string[];
  },
): Promise<Finding> {
  const { cell, origin, nginx, turns, unmeasured, failures } = about;
  const known = new KnownBytes(knownBytesMax);
  const got: Got = { origin: [], owner: [], elsewhere: [], nginx: [], 'nginx of nginx': [] };
  const agent = new Agent({ keepAlive: true });
  for (let turn = -unmeasured; turn < turns; turn++) {
    const [owner, other] = nodesOf(cell, turn + unmeasured);
    if (owner === undefined || other === undefined) continue;
    const nodeUrls = { origin: `${origin.url}/`, owner: owner.http, elsewhere: other.http };
    const urls = { ...nodeUrls, nginx: nginx[0].http, 'nginx of nginx': nginx[1].http };
    // Each as often behind each other one: the owner is at work in two of them, and what it has left to do is in the way of the next.
    for (const [where, url] of rotated(Object.entries(urls) as [Place, string][], turn + unmeasured)) {
      const path = cell.pathOf(owner, (i) =>
        pathFor(`${name.replaceAll(/\W/g, '')}-${where.replaceAll(' ', '')}-${turn}-${i}`),
      );
      // Made before, so that it is not in the time of the first byte.
      known.of(path, { length: lengthOf(path, media) ?? 0, version: 1 });
      if (turn >= 0) await sleep(pauseMs);
      const fetched = await fetchChecked(url.replace(/\/$/, ''), path, { agent, known, media });
      if (fetched.fault === undefined && turn >= 0) got[where].push(fetched);
      else if (fetched.fault !== undefined) failures.push(`cold, ${where}: ${fetched.fault.detail}`);
    }
  }
  agent.destroy();
  const finding = findingOf(got);
  const { laterP95Ms: later, wholeOverOwnerP50: slower } = finding;
  if (!(later <= laterMsMax)) failures.push(`cold, origin ${name}: first byte ${later} ms later at p95`);
  if (!(slower <= slowerMax)) failures.push(`cold, origin ${name}: ${slower} times the owner's time`);
  return { kind: `cold, origin ${name}`, nodes, segments: turns, ...finding };
}

function findingOf(got: Got): Finding & { laterP95Ms: number; wholeOverOwnerP50: number } {
  const first = (place: Place, share: number) => at(place, 'firstByteMs', share);
  const whole = (place: Place, share: number) => at(place, 'wholeMs', share);
  return {
    ...row('firstByteP50Ms', (place) => first(place, 0.5)),
    ...row('firstByteP95Ms', (place) => first(place, 0.95)),
    laterP95Ms: rounded(first('elsewhere', 0.95) - first('origin', 0.95), 3),
    ...row('wholeP50Ms', (place) => whole(place, 0.5)),
    ...row('wholeP95Ms', (place) => whole(place, 0.95)),
    wholeOverOwnerP50: rounded(whole('elsewhere', 0.5) / whole('owner', 0.5), 3),
    wholeOverOwnerP95: rounded(whole('elsewhere', 0.95) / whole('owner', 0.95), 3),
    nginxLaterP95Ms: rounded(first('nginx of nginx', 0.95) - first('origin', 0.95), 3),
    nginxOverNginxP50: rounded(whole('nginx of nginx', 0.5) / whole('nginx', 0.5), 3),
  };

  function at(place: Place, figure: 'firstByteMs' | 'wholeMs', share: number): number {
    const figures = got[place].map((each) => each[figure]);
    return percentile(figures, share) ?? Number.NaN;
  }

  function row(figure: string, of: (place: Place) => number): Finding {
    const places = Object.keys(got) as Place[];
    return { [figure]: places.map((place) => `${place} ${rounded(of(place), 3)}`).join(', ') };
  }
}

function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const first = by % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

/** A node that is responsible, and another one. */
function nodesOf(cell: ProcessCell, turn: number): readonly [CellNode | undefined, CellNode | undefined] {
  return [cell.nodes[turn % nodes], cell.nodes[(turn + 1 + (turn % (nodes - 1))) % nodes]];
}
