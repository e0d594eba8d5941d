import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { ProcessCell } from '../support/cell.ts';
import { type Encoding, encodeLive, type Ffmpeg, playWithFfmpeg, skipsFfmpeg } from '../support/live/ffmpeg.ts';
import { IngestOrigin } from '../support/live/ingest-origin.ts';
import { openPlayerPages, type PlayerName, type PlayerPages } from '../support/player-page.ts';

const paths: Readonly<Record<Encoding, string>> = {
  'HLS in MPEG-TS': '/ts/live.m3u8',
  'HLS in fMP4': '/fmp4/live.m3u8',
  DASH: '/dash/live.mpd',
  'low-latency DASH': '/low/live.mpd',
};
/** Players start three segments behind. */
const leadMs = 8_000;
/** As in live.test.ts: everything that long, through a cell of so many nodes. */
const longSeconds = Number(process.env['EDDY_LIVE_SECONDS'] ?? 0);
const nodes = Number(process.env['EDDY_LIVE_NODES'] ?? 1);
const timeout = 60_000 + longSeconds * 2_000;

/** ffmpeg on both ends: as the encoder of an origin, and as a player. */
describe.skipIf(skipsFfmpeg())('a live stream that ffmpeg makes, through one edge', () => {
  let origin: IngestOrigin;
  let cell: ProcessCell;
  let edge: string;
  let encoders: readonly Ffmpeg[] = [];

  beforeAll(async () => {
    origin = new IngestOrigin();
    await origin.open();
    encoders = Object.entries(paths).map(([encoding, path]) => encodeLive(encoding as Encoding, origin.url + path));
    [cell] = await Promise.all([
      ProcessCell.start(nodes, ['--origin', origin.url]),
      ...Object.values(paths).map((path) => origin.has(path)),
      new Promise((resolve) => setTimeout(resolve, leadMs)),
    ]);
    edge = cell.nodes.at(-1)?.http ?? '';
  });
  afterAll(async () => {
    await Promise.all(encoders.map((each) => each.stop()));
    await cell?.close();
    await origin?.close();
  });

  // Its DASH demuxer repeats segments of a timeline that moves on, at the origin too.
  it.concurrent.each(['HLS in MPEG-TS', 'HLS in fMP4', 'low-latency DASH'] as const)(
    'is played by ffmpeg without a complaint: %s',
    { timeout },
    async (encoding) => {
      const url = new URL(paths[encoding], edge).href;
      const seconds = Math.max(4, longSeconds);
      expect(await playWithFfmpeg(url, { seconds, timeoutMs: 20_000 + seconds * 1_250 })).toBe('');
    },
  );

  describe.skipIf(skipsBrowser())('in Chromium', () => {
    let browser: Browser;
    let pages: PlayerPages;

    beforeAll(async () => {
      browser = await launchBrowser();
      pages = await openPlayerPages(browser);
    });
    afterAll(async () => {
      await pages?.close();
      await browser?.close();
    });

    const plays: readonly (readonly [PlayerName, Encoding])[] = [
      ['hls.js', 'HLS in MPEG-TS'],
      ['shaka', 'HLS in fMP4'],
      ['shaka', 'DASH'],
      ['dash.js', 'low-latency DASH'],
    ];
    it.concurrent.each(plays)('is played by %s: %s', { timeout }, async (player, encoding) => {
      const url = new URL(paths[encoding], edge).href;
      const playMs = Math.max(5, longSeconds) * 1_000;
      const report = await pages.playLive(player, url, { playMs, settleMs: 2_000 });
      expect(report).toMatchObject({ errors: [], serverErrors: [], playsAtEnd: true });
      // Its MPD with a timeline wants players one segment behind, which leaves no room: they stall at the origin too.
      if (encoding !== 'DASH') expect(report.stalls).toEqual([]);
    });
  });
});
