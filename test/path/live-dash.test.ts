import type { RequestListener } from 'node:http';
import { brotliDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { EdgeOptions } from '../support/edge.ts';
import { type LiveStage, liveStage } from '../support/live-stage.ts';
import { mpdText, period } from '../support/mpd.ts';
import type { OriginRoutes } from '../support/origin.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const path = '/live/stream.mpd';

interface Stage extends LiveStage {
  readonly url: string;
  /** What the origin gives. */
  text: string;
}

const numbered =
  '<SegmentTemplate timescale="1" duration="2" initialization="i.mp4" media="$RepresentationID$/$Number$.m4s"/>';
const dynamic = (more: string): string =>
  `type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT30S" ${more}`;

async function stage({ routes, ...options }: Partial<EdgeOptions> & { routes?: OriginRoutes } = {}): Promise<Stage> {
  const mpd: RequestListener = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/dash+xml' }).end(made.text);
  };
  const parts = await liveStage({ ...routes, [path]: mpd }, options);
  const made: Stage = { ...parts, url: parts.edge.url + path, text: '' };
  return made;
}

describe('a segment that a live MPD newly lists', () => {
  it('is fetched before it is asked for, of the representation that is watched', async () => {
    const segment = { length: 1_000, contentType: 'video/mp4', fields: { 'Cache-Control': 'max-age=600' } };
    const made = await stage({
      prefetch: { bytesMax: 1_000_000, requestsMax: 4 },
      routes: Object.fromEntries(['v/4.m4s', 'v/6.m4s', 'w/6.m4s'].map((name) => [`/live/${name}`, segment])),
    });
    const timeline = (segments: number) =>
      `<SegmentTemplate timescale="1" media="$RepresentationID$/$Time$.m4s"><SegmentTimeline><S t="0" d="2" r="${segments - 1}"/></SegmentTimeline></SegmentTemplate>`;
    const began = new Date(made.clock.nowMs() - 60_000).toISOString();
    const text = (segments: number) =>
      mpdText({
        mpd: `type="dynamic" availabilityStartTime="${began}" minimumUpdatePeriod="PT2S"`,
        periods: [period(timeline(segments), { ids: ['v', 'w'] })],
      });
    made.text = text(3);
    await view(made.url);
    expect((await view(`${made.edge.url}/live/v/4.m4s`)).status).toBe(200);
    made.text = text(4);
    await made.poll();
    await until(() => made.origin.count('/live/v/6.m4s') === 1, 'the segment being fetched');
    expect(made.origin.count('/live/w/6.m4s')).toBe(0);
  });
});

describe('a live MPD', () => {
  it('is asked for once for each update period, however many watch, and is seen as a stream', async () => {
    const made = await stage();
    made.text = mpdText({ mpd: dynamic('minimumUpdatePeriod="PT2S"'), periods: [period(numbered)] });
    const startedMs = made.clock.nowMs();
    for (let round = 0; round < 4; round++) {
      if (round > 0) await made.poll();
      const views = await Promise.all(Array.from({ length: 20 }, () => view(made.url)));
      for (const { status, body } of views) expect([status, body.toString()]).toEqual([200, made.text]);
      expect(made.origin.count(path)).toBe(round + 1);
    }
    expect(made.clock.nowMs() - startedMs).toBe(3 * 2_000);
    expect(made.edge.live.streams()).toMatchObject([{ url: path, kind: 'dash', windowSeconds: 30 }]);
  });

  it('leads to the edge, in br, each version under a validator of its own', async () => {
    const made = await stage();
    const of = (published: string): string =>
      mpdText({
        mpd: dynamic(`minimumUpdatePeriod="PT2S" publishTime="${published}"`),
        head: `<Location>${made.origin.url}/live/stream.mpd?s=1&amp;t=2</Location><BaseURL>${made.origin.url}/media/</BaseURL>`,
        periods: Array.from({ length: 30 }, () => period(numbered)),
      });
    made.text = of('2026-01-01T00:00:00Z');
    const first = await view(made.url, { headers: { 'Accept-Encoding': 'br' } });
    expect(first.headers['content-encoding']).toBe('br');
    expect(brotliDecompressSync(first.body).toString()).toBe(made.text.replaceAll(made.origin.url, ''));
    made.text = of('2026-01-01T00:00:02Z');
    await made.poll();
    const second = await view(made.url, { headers: { 'Accept-Encoding': 'br' } });
    expect(second.headers.etag).not.toBe(first.headers.etag);
    expect(brotliDecompressSync(second.body).toString()).toBe(made.text.replaceAll(made.origin.url, ''));
  });

  it('counts as given when a viewer gets it, not when the mirror reads it', async () => {
    const made = await stage();
    const of = (number: number): string =>
      mpdText({ mpd: dynamic(`minimumUpdatePeriod="PT2S" id="${number}"`), periods: [period(numbered)] });
    made.text = of(0);
    await view(made.url);
    const total = (): number => made.edge.served.origin + made.edge.served.ram;
    const before = total();
    for (let number = 1; number < 4; number++) {
      made.text = of(number);
      await made.poll();
    }
    expect(total()).toBe(before);
    const { body } = await view(made.url);
    expect([body.toString(), total() - before]).toEqual([of(3), body.length]);
  });

  it('that becomes static is VOD, and is asked for no more often than it says', async () => {
    const made = await stage();
    made.text = mpdText({ mpd: dynamic('minimumUpdatePeriod="PT2S"'), periods: [period(numbered)] });
    await view(made.url);
    made.text = mpdText({ mpd: 'type="static" mediaPresentationDuration="PT1H"', periods: [period(numbered)] });
    await made.poll();
    expect((await view(made.url)).body.toString()).toBe(made.text);
    expect(made.edge.live.streams()).toEqual([]);
  });

  it('that stops being one goes on as it was until its window has passed', async () => {
    const made = await stage();
    made.text = mpdText({ mpd: dynamic('minimumUpdatePeriod="PT2S"'), periods: [period(numbered)] });
    const good = made.text;
    await view(made.url);
    made.text = good.slice(0, 300);
    await made.poll();
    expect((await view(made.url)).body.toString()).toBe(good);
  });
});

it.each([
  ['one with entities', '<!DOCTYPE MPD [<!ENTITY e "x">]><MPD type="dynamic"><BaseURL>&e;</BaseURL></MPD>'],
  ['a patch', '<Patch mpdId="x"><replace sel="/MPD/@publishTime">2026</replace></Patch>'],
  ['no XML', 'MPD\u0000\u0001'],
])('what is not understood is passed on byte for byte: %s', async (_what, text) => {
  const made = await stage();
  made.text = text;
  const { status, body } = await view(made.url);
  expect([status, body.toString()]).toEqual([200, text]);
  expect(made.edge.live.streams()).toEqual([]);
});

it('is asked for each minute where an MPD says that it will not change for a hundred years', async () => {
  const made = await stage();
  made.text = mpdText({ mpd: dynamic('minimumUpdatePeriod="P100Y"'), periods: [period(numbered)] });
  await view(made.url);
  made.clock.turn(59_000);
  expect(made.edge.live.polls).toBe(0);
  made.clock.turn(2_000);
  await until(() => made.edge.live.polls === 1, 'the MPD being asked for again');
});
