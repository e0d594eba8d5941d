import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { median } from '../../bench/statistics.ts';
import { launchBrowser, skipsBrowser } from '../support/browser.ts';
import { ProcessCell } from '../support/cell.ts';
import { entries, type LiveOrigin, startLiveOrigin } from '../support/live/live-origin.ts';
import { type LivePlayReport, openPlayerPages, type PlayerName, type PlayerPages } from '../support/player-page.ts';
import { Turns } from '../support/turns.ts';

type Form = keyof typeof entries;

const all: readonly (readonly [PlayerName, Form])[] = [
  ['hls.js', 'LL-HLS'],
  ['hls.js', 'LL-HLS by byte range'],
  ['hls.js', 'HLS in fMP4'],
  ['hls.js', 'HLS in MPEG-TS'],
  ['shaka', 'LL-HLS'],
  ['shaka', 'LL-HLS by byte range'],
  ['shaka', 'HLS in fMP4'],
  ['shaka', 'HLS in MPEG-TS'],
  ['dash.js', 'DASH by number'],
  ['dash.js', 'DASH by timeline'],
  ['dash.js', 'low-latency DASH'],
  ['shaka', 'DASH by number'],
  ['shaka', 'DASH by timeline'],
  ['shaka', 'low-latency DASH'],
];
/**
 * One of each form and more of what is delicate. EDDY_LIVE_SECONDS plays all of them that long, beside the origin;
 * EDDY_LIVE_NODES through a cell of so many nodes, EDDY_LIVE_AT_ONCE so many at once.
 */
const short: readonly (readonly [PlayerName, Form])[] = [
  ['hls.js', 'LL-HLS'],
  ['hls.js', 'LL-HLS by byte range'],
  ['shaka', 'LL-HLS'],
  ['hls.js', 'HLS in fMP4'],
  ['shaka', 'HLS in MPEG-TS'],
  ['dash.js', 'DASH by timeline'],
  ['shaka', 'DASH by number'],
  ['dash.js', 'low-latency DASH'],
];
const longSeconds = Number(process.env['EDDY_LIVE_SECONDS'] ?? 0);
const nodes = Number(process.env['EDDY_LIVE_NODES'] ?? 1);
const settleMs = 2_000;
/** Pages that start at once on few cores disturb each other: where a player begins is for long where it stays. */
const apartMs = 3_000;
/**
 * Shaka stays where it began, up to a segment further back if a version came a moment later: beyond the bound it begins
 * again and again, at any point of a version, and the median counts.
 */
const behindMsMax = 300;
const startsMax = 21;
const playersAtOnce = Number(process.env['EDDY_LIVE_AT_ONCE'] ?? 2);

describe.skipIf(skipsBrowser())('live players', () => {
  let browser: Browser;
  let pages: PlayerPages;
  let origin: LiveOrigin;
  let cell: ProcessCell;
  /** Of the node that is the last to join. */
  let edge: string;
  const turns = new Turns(playersAtOnce);
  let started = 0;

  beforeAll(async () => {
    [browser, origin] = await Promise.all([launchBrowser(), startLiveOrigin()]);
    [pages, cell] = await Promise.all([openPlayerPages(browser), ProcessCell.start(nodes, ['--origin', origin.url])]);
    edge = cell.nodes.at(-1)?.http ?? '';
    // Where a player begins, it stays: one that finds the node asleep cannot be set beside one at the origin.
    if (longSeconds > 0)
      for (let i = 0; i < 3; i++) await Promise.all(Object.values(entries).map((path) => visit(path)));
  });
  afterAll(async () => {
    await pages?.close();
    await browser?.close();
    await cell?.close();
    await origin?.close();
  });

  /** The same stream at the origin and through the edge, begun at the same moment. */
  function sideBySide(player: PlayerName, form: Form, options: { playMs: number; settleMs: number }) {
    return turns.take(async () => {
      await new Promise((resolve) => setTimeout(resolve, (started++ % playersAtOnce) * apartMs));
      const begin = meetingOf(2);
      const play = (base: string) => pages.playLive(player, new URL(entries[form], base).href, { ...options, begin });
      return Promise.all([play(origin.url), play(edge)]);
    });
  }

  /** Asks for the playlists of a form as the first viewer does. */
  async function visit(path: string): Promise<void> {
    const url = new URL(path, edge);
    const text = await (await fetch(url)).text();
    const named = text.startsWith('#EXTM3U') ? [...text.matchAll(/^[^#\n].*m3u8$|(?<=URI=")[^"]*m3u8/gm)] : [];
    for (const [name] of named) await (await fetch(new URL(name, url))).arrayBuffer();
  }

  describe('on one edge play without a fatal error and without a stall', () => {
    it.skipIf(longSeconds > 0).concurrent.each(short)('%s: %s', { timeout: 120_000 }, async (player, form) => {
      const url = new URL(entries[form], edge).href;
      const report = await turns.take(() => pages.playLive(player, url, { playMs: 4_000, settleMs }));
      expectSmooth(report);
    });

    it.skipIf(longSeconds === 0).concurrent.each(all)(
      `as close to the live edge as at the origin, for ${longSeconds} s, %s: %s`,
      { timeout: 3_600_000 },
      async (player, form) => {
        const options = { playMs: longSeconds * 1000, settleMs: Math.min(15_000, longSeconds * 250) };
        const [direct, through] = await sideBySide(player, form, options);
        const figures = { direct: summary(direct), edge: summary(through), warnings: through.warnings };
        console.log(`${player}: ${form}`, JSON.stringify(figures));
        expectSmooth(through);
        const behindMs = [difference(direct, through)];
        while (behindMs.length < startsMax && Number(behindMs[0]) >= behindMsMax) {
          const [again, throughAgain] = await sideBySide(player, form, { playMs: 6_000, settleMs: 3_000 });
          behindMs.push(difference(again, throughAgain));
        }
        expect(median(behindMs), `of ${behindMs.map(Math.round).join(', ')}`).toBeLessThan(behindMsMax);
      },
    );
  });
});

/** Lets all go on when the last has come. */
function meetingOf(count: number): () => Promise<void> {
  const all = Promise.withResolvers<void>();
  let missing = count;
  return () => {
    if (--missing === 0) all.resolve();
    return all.promise;
  };
}

function expectSmooth(report: LivePlayReport): void {
  expect(report.errors).toEqual([]);
  expect(report.startMs).toBeDefined();
  expect(report.stalls, report.warnings.join('\n')).toEqual([]);
  expect(report.playedSeconds).toBeGreaterThan(report.watchedSeconds * 0.6);
  // Fewer than there are, where a machine has more to do than to decode video.
  expect(report.framesDecoded).toBeGreaterThan(report.watchedSeconds * 2);
  expect(report.responses).toBeGreaterThan(3);
}

function summary({ errors, stalls, latencyMs, bufferLagMs }: LivePlayReport): object {
  const [latency, bufferLag] = [latencyMs, bufferLagMs].map((each) => Math.round(mean(each)));
  return { errors: errors.length, stalls: stalls.length, latency, bufferLag };
}

function difference(direct: LivePlayReport, through: LivePlayReport): number {
  return mean(through.latencyMs) - mean(direct.latencyMs);
}

const mean = (list: readonly number[]): number => list.reduce((sum, each) => sum + each, 0) / list.length;
