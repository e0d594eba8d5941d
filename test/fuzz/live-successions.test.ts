import { Agent } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { encodeAnnouncement } from '../../src/live/channels/cell-voice.ts';
import { type Edge, startEdge } from '../support/edge.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { HandClock } from '../support/hand-clock.ts';
import { hostileMpds, hostileSuccession, type Version } from '../support/live/hostile-successions.ts';
import { startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const cases = fuzzCount(300);
/** The mirror follows a bounded number; a new edge now and then lets it take part in every case. */
const perEdge = 60;
const agent = new Agent({ keepAlive: true });
const targets = { origin: '', trap: 'http://127.0.0.1:9' };
let origin: TestOrigin;
let edge: Edge;
let clock: HandClock;
let versions: readonly Version[] = [];
let asked = 0;
let number = 0;
const faults: string[] = [];

beforeAll(async () => {
  origin = await startOrigin((request, response) => {
    const isManifest = /\.(?:m3u8|mpd)(?:\?|$)/.test(request.url ?? '');
    const version = isManifest ? versions[Math.min(asked++, versions.length - 1)] : undefined;
    if (version === undefined) response.writeHead(isManifest || asked % 3 === 0 ? 404 : 200).end('media');
    else response.writeHead(version.status, version.fields).end(version.status === 204 ? undefined : version.body);
  });
});
afterAll(() => origin.close());

beforeEach(() => openEdge());
afterEach(async () => {
  agent.destroy();
  await edge.close();
});

async function openEdge(): Promise<void> {
  clock = new HandClock();
  const fault = (about: object, message: string) => faults.push(`${message}: ${JSON.stringify(about)}`);
  edge = await startEdge({
    origins: [origin.url],
    liveClock: clock,
    now: () => clock.nowMs(),
    ramBytes: 16 * 1024 * 1024,
    prefetch: { bytesMax: 1_000_000, requestsMax: 4 },
    live: { offerBlockingReload: true, prefetchSegments: 2 },
    voice: { ownerOf: (key) => (key.includes('/member/') ? 'owner' : 'self'), announce: () => true },
    log: { info: () => {}, debug: () => {}, warn: fault, error: fault },
  });
}

const directive = fc.constantFrom(
  ...['', '', '?_HLS_skip=YES', '?_HLS_skip=v2', '?_HLS_msn=2', '?_HLS_msn=4&_HLS_part=1', '?_HLS_part=1'],
  ...['?_HLS_msn=999999999999999', '?_HLS_msn=-1', '?_HLS_msn=3&_HLS_skip=YES', '?_HLS_msn=1e3&_HLS_part=NaN'],
);
/** CMCD of versions 1 and 2, as players say it and as they should not. */
const said = fc
  .array(
    fc.constantFrom(
      ...[
        'bl=999999999999999',
        'bl=(1000;v 0;a)',
        'bl=()',
        'mtp=-1',
        'mtp=0.001',
        'pr=0',
        'su',
        'bs=?0',
        'ot=v',
        'st=l',
      ],
      ...[
        'sid="a"',
        'nor="3.m4s"',
        'nor="..%2F..%2Fx"',
        'nor=("4.m4s";r="0-99" "%00")',
        'nor="http:%2F%2Fh%2Fx"',
        'nrr="9-1"',
      ],
      ...['nrr="0-999999999999999999"', 'v=2', 'e=rr', 'ts=1e300', 'x=:AA==:', '=', '"', ',', 'tb=@99999999999999'],
    ),
    { maxLength: 5 },
  )
  .map((members) => members.join(','));

const media = fc.constantFrom('0.m4s', '2.m4s', '4.m4s', '3.1.m4s', 'v1/5.m4s', 'init.mp4', 'i.mp4');

/** A few of a channel's viewers: what they ask for after each version. */
const viewers = fc.record({
  isMember: fc.boolean(),
  directives: fc.array(directive, { minLength: 3, maxLength: 3 }),
  media,
  said,
  inQuery: fc.boolean(),
  turnMs: fc.constantFrom(0, 500, 4_000, 70_000),
});
type Viewers = typeof viewers extends fc.Arbitrary<infer Value> ? Value : never;

async function play(all: readonly Version[], { isMember, directives, turnMs, ...seen }: Viewers, ending: string) {
  if (++number % perEdge === 0) {
    await edge.close();
    await openEdge();
  }
  [versions, asked] = [all, 0];
  const folder = `/${isMember ? 'member' : 'owner'}/${number}`;
  const path = `${folder}/a.${ending}`;
  const answers: Promise<number>[] = [];
  let answered = 0;
  const ask = (target: string, headers = {}): void => {
    const answer = view(edge.url + target, { agent, headers }).then(({ status }) => status, unlessCut);
    answers.push(answer.finally(() => answered++));
  };
  for (const [i, version] of all.entries()) {
    ask(path);
    ask(path + (directives[i % directives.length] ?? ''), { 'Accept-Encoding': 'br' });
    const [name, value] = ['CMCD-Request', seen.said];
    const query = seen.inQuery ? `?CMCD=${encodeURIComponent(value)}` : '';
    ask(`${folder}/${seen.media}${query}`, query === '' && value !== '' ? { [name]: value } : {});
    await quiet(() => answered >= answers.length);
    if (isMember) tell(`default ${path}`, version);
    clock.turnToNext(120_000);
    clock.turn(turnMs);
  }
  // Nobody is left waiting: whoever is held at last is answered by what is asked for anew.
  for (let i = 0; answered < answers.length; i++) {
    await quiet(() => answered >= answers.length);
    clock.turn(9_000);
    if (i > 2) await edge.purge('all');
  }
  for (const status of await Promise.all(answers)) expect(status).not.toBe(500);
  expect(faults).toEqual([]);
}

/** What is cut off is answered too; what is not answered at all is a fault. */
function unlessCut(error: NodeJS.ErrnoException): number {
  if (error.code === 'ECONNRESET') return 0;
  throw error;
}

/** The owner tells of it, with times that no clock shows. */
function tell(key: string, { body, fields }: Version): void {
  const atMs = [undefined, 0, -1e300, 1e300, Date.now()][number % 5];
  const playlist = { bytes: body, fields: Fields.of(fields) };
  const message = encodeAnnouncement({ key, version: `v${asked}`, playlist, ...(atMs !== undefined && { atMs }) });
  if (message !== undefined) edge.live.announced('owner', message);
}

/** Lets the process go on until that holds, or nothing more seems to happen. */
async function quiet(holds: () => boolean): Promise<void> {
  const untilMs = performance.now() + 8;
  while (!holds() && performance.now() < untilMs) await turn();
}

it(`versions of a playlist that contradict each other end nothing, and leave nobody waiting: ${cases}, seed ${fuzzSeed}`, {
  timeout: 300_000,
}, async () => {
  let followed = 0;
  await fc.assert(
    fc.asyncProperty(hostileSuccession({ ...targets, origin: origin.url }), viewers, async (all, who) => {
      await play(all, who, 'm3u8');
      followed += edge.live.polls;
    }),
    { seed: fuzzSeed, numRuns: cases },
  );
  expect(followed).toBeGreaterThan(cases);
});

it(`nor do versions of an MPD: ${cases}, seed ${fuzzSeed}`, { timeout: 300_000 }, async () => {
  let followed = 0;
  await fc.assert(
    fc.asyncProperty(hostileMpds, viewers, async (all, who) => {
      await play(all, who, 'mpd');
      followed += edge.live.polls;
    }),
    { seed: fuzzSeed, numRuns: cases },
  );
  expect(followed).toBeGreaterThan(cases);
});
