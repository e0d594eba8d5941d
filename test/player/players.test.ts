import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSampleFiles } from '../../src/sample/files.ts';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { type Eddy, startEddy } from '../support/eddy.ts';
import { openPlayerPages, type PlayerName, type PlayerPages, type PlayReport } from '../support/player-page.ts';
import { Turns } from '../support/turns.ts';

const forms = {
  'HLS in MPEG-TS': '/vod/hls-ts/index.m3u8',
  'HLS in fMP4': '/vod/cmaf/index.m3u8',
  'HLS by byte range': '/vod/single/index.m3u8',
  'the live channel': '/live/index.m3u8',
  'DASH by template': '/vod/cmaf/index.mpd',
  'DASH in single files': '/vod/single/index.mpd',
} as const;
type Form = keyof typeof forms;

const matrix: readonly (readonly [PlayerName, Form])[] = [
  ['hls.js', 'HLS in MPEG-TS'],
  ['hls.js', 'HLS in fMP4'],
  ['hls.js', 'HLS by byte range'],
  ['hls.js', 'the live channel'],
  ['dash.js', 'DASH by template'],
  ['dash.js', 'DASH in single files'],
  ['shaka', 'HLS in MPEG-TS'],
  ['shaka', 'HLS in fMP4'],
  ['shaka', 'HLS by byte range'],
  ['shaka', 'the live channel'],
  ['shaka', 'DASH by template'],
  ['shaka', 'DASH in single files'],
];

/** Two cores decode this and the page's test beside it with ease; more, and a stall could be the machine's. */
const playersAtOnce = 2;

// One browser for all; who plays when is up to the turns.
describe.skipIf(skipsBrowser())('players', { concurrent: true, timeout: 240_000 }, () => {
  let browser: Browser;
  let pages: PlayerPages;
  let node: Eddy;
  const turns = new Turns(playersAtOnce);
  const play = (player: PlayerName, url: string, options: { playMs: number }): Promise<PlayReport> =>
    turns.take(() => pages.play(player, url, options));

  beforeAll(async () => {
    [browser, node] = await Promise.all([launchBrowser(), startEddy([])]);
    pages = await openPlayerPages(browser);
  });
  afterAll(async () => {
    await pages?.close();
    await browser?.close();
    await node?.stop();
  });

  describe('on a node with the built-in sample play without a fatal error and without a stall', () => {
    it.each(matrix)('%s: %s', async (player, form) => {
      const report = await play(player, node.http + forms[form], { playMs: 6_000 });
      expectSmooth(report);
      expect(report.responses.length).toBeGreaterThan(3);
      for (const { url, cacheStatus } of report.responses) expect(cacheStatus, url).toMatch(/^eddy; (hit|fwd=)/);
    });
  });

  it('get every segment from the cache the second time, while the origin sends nothing', async () => {
    const cold = await startEddy([]);
    try {
      const plays: readonly (readonly [PlayerName, Form])[] = [
        ['hls.js', 'HLS in MPEG-TS'],
        ['dash.js', 'DASH in single files'],
        ['shaka', 'HLS in fMP4'],
      ];
      const playAll = (playMs: number) =>
        Promise.all(plays.map(([player, form]) => play(player, cold.http + forms[form], { playMs })));
      // Longer than the second time: how far ahead a player loads goes by how far it has played.
      const first = await playAll(5_000);
      const sent = await originBytes(cold);
      // Three forms, each with 1.2 MB of picture and some sound.
      expect(sent).toBeGreaterThan(3_500_000);
      const second = await playAll(2_000);
      for (const report of [...first, ...second]) expectSmooth(report);
      for (const [i, { responses }] of second.entries()) {
        const before = new Set(first[i]?.responses.map(({ url }) => url));
        expect(responses.length).toBeGreaterThan(6);
        for (const { url, cacheStatus } of responses) {
          expect(before).toContain(url);
          expect(cacheStatus, url).toMatch(/^eddy; hit; .*detail=(ram|disk)$/);
        }
      }
      expect(await originBytes(cold)).toBe(sent);
    } finally {
      await cold.stop();
    }
  });

  describe('are seen', () => {
    it('to stall when a segment does not come', async () => {
      const origin = await startBrokenSample(/\/(0[2-9]|1\d)\.ts$/, (response) => response.writeHead(200).write('G'));
      try {
        const report = await play('hls.js', `${origin.url}/vod/hls-ts/high/index.m3u8`, { playMs: 6_500 });
        expect(report.stalls.length).toBeGreaterThan(0);
        expect(() => expectSmooth(report)).toThrow();
      } finally {
        await origin.close();
      }
    });

    it('to fail when a segment is not there', async () => {
      const origin = await startBrokenSample(/\.ts$/, (response) => response.writeHead(404).end());
      try {
        const report = await play('shaka', `${origin.url}/vod/hls-ts/high/index.m3u8`, { playMs: 0 });
        expect(report.errors.join()).toMatch(/^shaka: /);
      } finally {
        await origin.close();
      }
    });
  });
});

function expectSmooth(report: PlayReport): void {
  expect(report.errors).toEqual([]);
  expect(report.startMs).toBeDefined();
  expect(report.stalls).toEqual([]);
  // On a busy machine the media clock lags behind the wall clock without ever waiting for data.
  expect(report.playedSeconds).toBeGreaterThan(report.watchedSeconds * 0.6);
  expect(report.framesDecoded).toBeGreaterThan(report.watchedSeconds * 2);
  expect(report.height).toBe(360);
}

/** Body bytes that the origin has sent to the node. */
async function originBytes(node: Eddy): Promise<number> {
  const response = await fetch(new URL('/metrics', node.admin), { signal: AbortSignal.timeout(20_000) });
  const metrics = await response.text();
  const value = /^eddy_origin_body_bytes_total(?:\{[^}]*\})? (\S+)$/m.exec(metrics)?.[1];
  return Number(value);
}

/** The sample's files straight from the disk, but for some that are answered by `answer`. */
async function startBrokenSample(
  broken: RegExp,
  answer: (response: ServerResponse) => void,
): Promise<{ url: string; close(): Promise<void> }> {
  const files = await readSampleFiles();
  const server = createServer((request, response) => {
    response.setHeader('Access-Control-Allow-Origin', '*');
    const file = files.get(request.url ?? '');
    if (file === undefined || broken.test(request.url ?? '')) answer(response);
    else response.end(file.bytes);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
