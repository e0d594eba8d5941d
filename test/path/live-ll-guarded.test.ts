import { afterEach, describe, expect, it } from 'vitest';
import { startEdge } from '../support/edge.ts';
import { HandClock } from '../support/hand-clock.ts';
import { ManualClock } from '../support/live/clock.ts';
import { createChannel } from '../support/live/live-origin.ts';
import { LiveServer } from '../support/live/live-server.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const path = '/ll-guarded/video/live.m3u8';
const [partMs, segmentMs] = [400, 2_000];
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A low-latency origin with date ranges and keys, and an edge that has followed it for a whole window. */
async function stage({ segments = 14 } = {}) {
  const originClock = new ManualClock(Date.now());
  const channel = await createChannel({ clock: originClock, epochMs: originClock.nowMs() - 60_000 - partMs / 2 });
  const origin = new LiveServer(channel.sites);
  await origin.open();
  const clock = new HandClock();
  const edge = await startEdge({ origins: [origin.url], liveClock: clock, now: () => clock.nowMs() });
  cleanups.push(
    () => edge.close(),
    () => origin.close(),
  );
  const text = async (query = '', at = edge.url) => (await view(`${at}${path}${query}`)).body.toString();
  /** One segment later, and the edge knows. */
  const advance = async (): Promise<void> => {
    await until(() => originClock.waiting >= 1, 'the mirror waiting for the next part');
    const before = await text();
    originClock.advance(segmentMs);
    clock.turn(segmentMs);
    for (;;) if ((await text()) !== before) break;
  };
  await text();
  for (let i = 0; i < segments; i++) await advance();
  return { origin, edge, channel, text, advance };
}

const ids = (playlist: string): string[] => [...playlist.matchAll(/,ID="([^"]*)"/g)].map(([, id = '']) => id);
const keysIn = (playlist: string): string[] => playlist.split('\n').filter((line) => line.startsWith('#EXT-X-KEY'));
const removedIn = (playlist: string): string[] | undefined =>
  /RECENTLY-REMOVED-DATERANGES="([^"]*)"/.exec(playlist)?.[1]?.split('\t');

describe('date ranges and keys of a low-latency channel', () => {
  it('reach viewers as the origin gave them', async () => {
    const { origin, text } = await stage({ segments: 1 });
    const whole = await text();
    expect(whole).toBe(await text('', origin.url));
    expect(ids(whole).length).toBeGreaterThan(1);
    expect(keysIn(whole).length).toBeGreaterThan(1);
  });

  it('in a delta update: all date ranges, and the keys that are in force', async () => {
    const { text } = await stage({ segments: 1 });
    const [whole, delta] = [await text(), await text('?_HLS_skip=YES')];
    const skipped = Number(/#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)\n/.exec(delta)?.[1]);
    expect(skipped).toBeGreaterThan(2);
    expect(ids(delta)).toEqual(ids(whole));
    expect(removedIn(delta)).toBeUndefined();
    // What a player that begins with the delta's own lines takes for the key of its first segment is the right one.
    const first = whole.split('\n').filter((line) => line.startsWith('seg-'))[skipped] ?? '';
    const before = whole.slice(0, whole.indexOf(`\n${first}\n`));
    const inForce = keysIn(before).slice(-2);
    expect(keysIn(delta.slice(0, delta.indexOf(`\n${first}\n`)))).toEqual(inForce);
  });

  it('in a delta update for who keeps date ranges: those that are gone, once the edge knows them all', async () => {
    const { text, advance } = await stage({ segments: 2 });
    // Some may have gone before it came to know the channel.
    expect(await text('?_HLS_skip=v2')).toBe(await text());
    const known = new Set(ids(await text()));
    for (let i = 0; i < 12; i++) {
      for (const id of ids(await text())) known.add(id);
      await advance();
    }
    const [whole, delta] = [await text(), await text('?_HLS_skip=v2')];
    expect(delta).toContain('#EXT-X-SKIP:SKIPPED-SEGMENTS=');
    const removed = removedIn(delta) ?? [];
    expect(removed.length).toBeGreaterThan(0);
    for (const id of removed) expect(known).toContain(id);
    for (const id of removed) expect(ids(whole)).not.toContain(id);
    expect(ids(delta)).toEqual(ids(whole));
  });

  it('keys are asked for by each viewer, and kept by nobody', async () => {
    const { origin, edge, text } = await stage({ segments: 1 });
    const uri = /URI="(key-\d+\.bin)"/.exec(await text())?.[1] ?? '';
    const target = `/ll-guarded/video/${uri}`;
    expect(origin.counts.get(target)?.requests ?? 0).toBe(0);
    for (let i = 1; i <= 3; i++) {
      const { status, body } = await view(edge.url + target);
      expect([status, body.length]).toEqual([200, 16]);
      expect(origin.counts.get(target)?.requests).toBe(i);
    }
  });
});
