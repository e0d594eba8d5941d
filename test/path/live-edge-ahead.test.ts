import type { RequestListener } from 'node:http';
import { describe, expect, it } from 'vitest';
import { HandClock } from '../support/hand-clock.ts';
import { type LiveStage, liveStage } from '../support/live-stage.ts';
import { mpdText, period } from '../support/mpd.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const startMs = Date.parse('2026-01-01T00:00:00Z');
const segmentMs = 2_000;
const dynamic =
  'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT30S" minimumUpdatePeriod="PT2S"';

interface Stage extends LiveStage {
  /** The newest segment that is there. */
  newest(): number;
  play(path: string): Promise<unknown>;
  /** Segments that the origin was asked for, in order. */
  asked(): string[];
}

/** A live channel in DASH whose origin has every segment as soon as it has ended. */
async function stage(template: (newest: number) => string): Promise<Stage> {
  const clock = new HandClock();
  const newest = (): number => Math.floor((clock.nowMs() - startMs) / segmentMs);
  const answer: RequestListener = (request, response) => {
    if (request.url === '/a.mpd') {
      const text = mpdText({ mpd: dynamic, periods: [period(template(newest()), { ids: ['low', 'high'] })] });
      response.writeHead(200, { 'Content-Type': 'application/dash+xml' }).end(text);
      return;
    }
    const named = Number(/(\d+)\.m4s$/.exec(request.url ?? '')?.[1]);
    const number = named > 1e10 ? named / segmentMs + 1 : named;
    if (number > newest()) response.writeHead(404).end('not yet');
    else response.writeHead(200, { 'Content-Type': 'video/mp4', 'Cache-Control': 'max-age=60' }).end('media');
  };
  const prefetch = { bytesMax: 1_000_000, requestsMax: 4 };
  const parts = await liveStage(answer, { clock, prefetch });
  const asked = () => parts.origin.requests.map(({ path }) => path.slice(1)).filter((path) => path.endsWith('.m4s'));
  return { ...parts, newest, asked, play: (path) => view(`${parts.edge.url}/${path}`) };
}

const numbered = () => '<SegmentTemplate timescale="1" duration="2" media="$RepresentationID$/$Number$.m4s"/>';
/** Segments by time, in units of their own length, so that the time is the number. */
const timed = (newest: number) =>
  `<SegmentTemplate timescale="1000" media="$RepresentationID$/$Time$.m4s"><SegmentTimeline>${Array.from(
    { length: 5 },
    (_, i) => `<S t="${(newest - 5 + i) * segmentMs}" d="${segmentMs}"/>`,
  ).join('')}</SegmentTimeline></SegmentTemplate>`;

describe('the next segment of a live MPD', () => {
  it('by number is fetched when it is there by the clock, while somebody watches', async () => {
    const { clock, newest, play, asked } = await stage(numbered);
    const first = newest();
    await play('a.mpd');
    await play(`low/${first}.m4s`);
    expect(asked()).toEqual([`low/${first}.m4s`]);
    for (let next = first + 1; next < first + 4; next++) {
      clock.turn(startMs + next * segmentMs - clock.nowMs());
      expect(asked()).not.toContain(`low/${next}.m4s`);
      // Clocks differ.
      clock.turn(250);
      await until(() => asked().includes(`low/${next}.m4s`), 'the next segment');
      await play(`low/${next}.m4s`);
      expect(asked().filter((path) => path === `low/${next}.m4s`)).toHaveLength(1);
    }
    expect(asked().some((path) => path.startsWith('high/'))).toBe(false);
    const before = asked().length;
    // Nobody asks any more: what was awaited for them comes, and no more after that.
    for (let i = 0; i < 60; i++) clock.turn(1_000);
    expect(asked().length - before).toBeLessThan(10);
  });

  it('by time is fetched when the MPD names it', async () => {
    const { clock, edge, newest, play, asked } = await stage((number) => timed(number));
    await play('a.mpd');
    const first = newest();
    const path = (number: number) => `low/${(number - 1) * segmentMs}.m4s`;
    await play(path(first));
    expect(asked()).toEqual([path(first)]);
    clock.turn(startMs + (first + 1) * segmentMs - clock.nowMs());
    const before = edge.live.polls;
    while (edge.live.polls === before || !asked().includes(path(first + 1))) {
      clock.turnToNext(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(asked()).toEqual([path(first), path(first + 1)]);
  });
});

it('what another thread gave to a viewer counts as if it had been asked for here', async () => {
  const { edge, newest, play, asked } = await stage(numbered);
  await play('a.mpd');
  const seen = newest() - 3;
  edge.live.used(`default /low/${seen}.m4s`);
  edge.live.used('default /elsewhere.m4s');
  await until(() => asked().length === 2);
  expect(asked()).toEqual([`low/${seen + 1}.m4s`, `low/${seen + 2}.m4s`]);
});
