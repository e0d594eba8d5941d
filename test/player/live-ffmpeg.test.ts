import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { type Eddy, startEddy } from '../support/eddy.ts';
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

/** ffmpeg on both ends: as the encoder of an origin, and as a player. */
describe.skipIf(skipsFfmpeg())('a live stream that ffmpeg makes, through one edge', () => {
  let origin: IngestOrigin;
  let node: Eddy;
  let encoders: readonly Ffmpeg[] = [];

  beforeAll(async () => {
    origin = new IngestOrigin();
    await origin.open();
    encoders = Object.entries(paths).map(([encoding, path]) => encodeLive(encoding as Encoding, origin.url + path));
    [node] = await Promise.all([
      startEddy(['--origin', origin.url]),
      ...Object.values(paths).map((path) => origin.has(path)),
      new Promise((resolve) => setTimeout(resolve, leadMs)),
    ]);
  });
  afterAll(async () => {
    await Promise.all(encoders.map((each) => each.stop()));
    await node?.stop();
    await origin?.close();
  });

  // Its DASH demuxer repeats segments of a timeline that moves on, at the origin too.
  it.concurrent.each(['HLS in MPEG-TS', 'HLS in fMP4', 'low-latency DASH'] as const)(
    'is played by ffmpeg without a complaint: %s',
    async (encoding) => {
      const url = new URL(paths[encoding], node.http).href;
      expect(await playWithFfmpeg(url, { seconds: 4, timeoutMs: 25_000 })).toBe('');
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
    it.concurrent.each(plays)('is played by %s: %s', { timeout: 60_000 }, async (player, encoding) => {
      const url = new URL(paths[encoding], node.http).href;
      const report = await pages.playLive(player, url, { playMs: 5_000, settleMs: 2_000 });
      expect(report).toMatchObject({ errors: [], serverErrors: [], playsAtEnd: true });
      // Its MPD with a timeline wants players one segment behind, which leaves no room: they stall at the origin too.
      if (encoding !== 'DASH') expect(report.stalls).toEqual([]);
    });
  });
});
