import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { ProcessCell } from '../support/cell.ts';
import { fallBehind, goAway, nowAndThen, restartEncoder } from '../support/live/faults.ts';
import { entries, type LiveOrigin, startLiveOrigin } from '../support/live/live-origin.ts';
import { type LivePlayReport, openPlayerPages, type PlayerName, type PlayerPages } from '../support/player-page.ts';
import { Turns } from '../support/turns.ts';

type Form = keyof typeof entries;

interface Fault {
  /** Seconds without media that no edge can help. */
  readonly missingSeconds: number;
  strike(origin: LiveOrigin): Promise<void>;
}

const faults = {
  'is away for 10 s': { missingSeconds: 10, strike: (origin) => goAway(origin, 10_000) },
  'is away for 3 s': { missingSeconds: 3, strike: (origin) => goAway(origin, 3_000) },
  'begins its numbers anew': { missingSeconds: 2, strike: restartEncoder },
  'is replaced by one three segments behind': { missingSeconds: 6, strike: (origin) => fallBehind(origin, 3) },
  'answers 404, 500, nothing or half a playlist now and then': {
    missingSeconds: 0,
    strike: async (origin) => {
      origin.server.fault = nowAndThen(origin, 7);
    },
  },
} satisfies Record<string, Fault>;
type FaultName = keyof typeof faults;

const players: readonly (readonly [PlayerName, Form])[] = [
  ['hls.js', 'HLS in fMP4'],
  ['hls.js', 'LL-HLS'],
  ['shaka', 'HLS in MPEG-TS'],
  ['dash.js', 'DASH by timeline'],
];
const all = (Object.keys(faults) as FaultName[]).flatMap((fault) => players.map((each) => [fault, ...each] as const));
/** What a suite has time for; EDDY_LIVE_SECONDS plays everything that long, EDDY_LIVE_AT_ONCE so many at once. */
const short: typeof all = [
  ['answers 404, 500, nothing or half a playlist now and then', 'hls.js', 'HLS in fMP4'],
  ['answers 404, 500, nothing or half a playlist now and then', 'shaka', 'HLS in MPEG-TS'],
];
const longSeconds = Number(process.env['EDDY_LIVE_SECONDS'] ?? 0);
/** Through a cell of so many. */
const nodes = Number(process.env['EDDY_LIVE_NODES'] ?? 1);
const strikeAfterMs = 5_000;
const playersAtOnce = Number(process.env['EDDY_LIVE_AT_ONCE'] ?? 2);

describe.skipIf(skipsBrowser())('players go on when the origin of a live channel', () => {
  let browser: Browser;
  let pages: PlayerPages;
  const turns = new Turns(playersAtOnce);

  beforeAll(async () => {
    browser = await launchBrowser();
    pages = await openPlayerPages(browser);
  });
  afterAll(async () => {
    await pages?.close();
    await browser?.close();
  });

  it.concurrent.each(longSeconds > 0 ? all : short)(
    '%s: %s, %s',
    { timeout: 3_600_000 },
    async (name, player, form) => {
      const report = await turns.take(() => playThrough(faults[name], { player, form }));
      if (longSeconds > 0)
        console.log(name, player, form, JSON.stringify({ ...report, latencyMs: [], bufferLagMs: [] }));
      expect(report).toMatchObject({ errors: [], playsAtEnd: true, serverErrors: [] });
      const { missingSeconds } = faults[name];
      // Media time may begin anew with the numbers.
      if (name !== 'begins its numbers anew')
        expect(report.playedSeconds).toBeGreaterThan((report.watchedSeconds - missingSeconds) * 0.6);
      if (missingSeconds === 0) expect(report.stalls).toEqual([]);
    },
  );

  async function playThrough(
    fault: Fault,
    { player, form }: { player: PlayerName; form: Form },
  ): Promise<LivePlayReport> {
    const origin = await startLiveOrigin();
    const cell = await ProcessCell.start(nodes, ['--origin', origin.url]);
    try {
      const url = new URL(entries[form], cell.nodes.at(-1)?.http).href;
      const playMs = longSeconds > 0 ? longSeconds * 1000 : 12_000;
      const playing = pages.playLive(player, url, { playMs, settleMs: 2_000 });
      await new Promise((resolve) => setTimeout(resolve, strikeAfterMs));
      await fault.strike(origin);
      return await playing;
    } finally {
      await cell.close();
      await origin.close();
    }
  }
});
