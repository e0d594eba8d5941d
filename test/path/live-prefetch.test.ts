import { Agent } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, type EdgeOptions, startEdge } from '../support/edge.ts';
import { HandClock } from '../support/hand-clock.ts';
import { mpdText, period } from '../support/mpd.ts';
import { type OriginRoutes, resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { ScriptedChannel } from '../support/scripted-channel.ts';
import { until } from '../support/until.ts';
import { type Viewed, view } from '../support/viewer.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const segment = { length: 50_000, contentType: 'video/mp4', fields: { 'Cache-Control': 'max-age=600' } };
const vod = 'type="static" mediaPresentationDuration="PT20S"';
const template =
  '<SegmentTemplate timescale="1" duration="2" initialization="$RepresentationID$/i.mp4" media="$RepresentationID$/$Number$.m4s"/>';
const mpd = mpdText({ mpd: vod, periods: [period(template, { ids: ['low', 'high'] })] });
const m3u8 = [
  ...['#EXTM3U', '#EXT-X-TARGETDURATION:2', '#EXT-X-PLAYLIST-TYPE:VOD'],
  ...Array.from({ length: 10 }, (_, i) => `#EXTINF:2,\nlow/${i + 1}.m4s`),
  ...['#EXT-X-ENDLIST', ''],
].join('\n');

interface Stage {
  readonly edge: Edge;
  readonly origin: TestOrigin;
  /** As a player asks, with what it says of itself. */
  play(path: string, cmcd?: string): Promise<Viewed>;
  /** Paths below /vod/ that the origin was asked for, in order. */
  asked(): string[];
}

async function stage({ more, ...options }: Partial<EdgeOptions> & { more?: OriginRoutes } = {}): Promise<Stage> {
  const routes: OriginRoutes = {
    '/vod/a.mpd': (_, response) => response.writeHead(200, { 'Content-Type': 'application/dash+xml' }).end(mpd),
    '/vod/a.m3u8': (_, response) => response.writeHead(200, { 'Content-Type': 'application/x-mpegurl' }).end(m3u8),
  };
  for (const rendition of ['low', 'high'])
    for (let number = 1; number <= 10; number++) routes[`/vod/${rendition}/${number}.m4s`] = segment;
  const origin = await startOrigin({ ...routes, ...more });
  const prefetch = { bytesMax: 1_000_000, requestsMax: 4 };
  const edge = await startEdge({ origins: [origin.url], prefetch, ...options });
  cleanups.push(
    () => edge.close(),
    () => origin.close(),
  );
  const play = (path: string, cmcd?: string): Promise<Viewed> =>
    view(`${edge.url}/vod/${path}${cmcd === undefined ? '' : `?CMCD=${encodeURIComponent(cmcd)}`}`);
  const asked = (): string[] =>
    origin.requests.map(({ path }) => path.slice('/vod/'.length)).filter((path) => path.endsWith('.m4s'));
  return { edge, origin, play, asked };
}

describe.each(['a.mpd', 'a.m3u8'])('the segments after the one that is played, by %s', (manifest) => {
  it('are there before they are asked for, and counted useful', async () => {
    const { edge, origin, play, asked } = await stage();
    await play(manifest);
    const before = edge.served.origin + edge.served.ram;
    await play('low/3.m4s');
    await until(() => asked().length === 3);
    expect(asked()).toEqual(['low/3.m4s', 'low/4.m4s', 'low/5.m4s']);
    await until(() => origin.sent() >= 3 * segment.length);
    const next = await play('low/4.m4s');
    expect(next.headers['cache-status']).toContain('hit');
    const expected = resourceBytes('/vod/low/4.m4s', { version: 1, first: 0, length: segment.length });
    expect(next.body.equals(expected)).toBe(true);
    await until(() => edge.ahead.bytes.useful === segment.length, 'use');
    expect(origin.count('/vod/low/4.m4s')).toBe(1);
    // Its bytes count as given once, when a viewer got them.
    expect(edge.served.origin + edge.served.ram - before).toBe(2 * segment.length);
  });

  it('are not fetched where it is switched off', async () => {
    const { play, asked } = await stage({ live: { prefetchSegments: 0 } });
    await play(manifest);
    await play('low/3.m4s');
    await play('low/4.m4s');
    expect(asked()).toEqual(['low/3.m4s', 'low/4.m4s']);
  });
});

describe('what a player says', () => {
  it('goes before the manifest', async () => {
    const { play, asked } = await stage();
    await play('a.mpd');
    await play('low/3.m4s', 'ot=v,sid="s",bl=9000,nor="..%2Fhigh%2F4.m4s"');
    await until(() => asked().length === 2);
    expect(asked()).toEqual(['low/3.m4s', 'high/4.m4s']);
  });

  it('needs no manifest, and may name a range', async () => {
    const { play, origin } = await stage();
    await play('low/3.m4s', 'nor="4.m4s",nrr="100-299"');
    await until(() => origin.count() === 2);
    expect(origin.ranges('/vod/low/4.m4s')).toEqual(['bytes=100-299']);
  });

  it('never leads to another host or out of the map', async () => {
    const evil = await startOrigin({ '/x': segment });
    cleanups.push(() => evil.close());
    const { play, origin } = await stage({ policy: { prefix: '/vod' }, origin: { prefix: '/vod' } });
    for (const nor of [`${evil.url}/x`, `//127.0.0.1:${evil.port}/x`, '../../x', '/x', '\\\\127.0.0.1\\x', 'file:///x'])
      await play('low/3.m4s', `nor="${encodeURIComponent(nor)}"`);
    await play('low/4.m4s');
    expect(evil.count()).toBe(0);
    expect(origin.requests.map(({ path }) => path)).not.toContain('/x');
  });

  it('is counted by stream, and answered in kind', async () => {
    const { edge, play } = await stage();
    await play('a.mpd');
    const { headers } = await play('low/3.m4s', 'ot=v,sf=d,st=v,sid="s",bl=9000,bs');
    expect(headers['cmsd-dynamic']).toBe('"eddy-test"');
    expect(edge.ahead.players).toMatchObject([{ data: { format: 'dash', starved: true }, stream: '/vod/a.mpd' }]);
    expect((await play('low/3.m4s')).headers['cmsd-dynamic']).toBeUndefined();
  });

  it('is answered with what its connection carried, once there is enough to tell by', async () => {
    const { edge } = await stage({ more: { '/vod/low/3.m4s': { ...segment, length: 600_000 } } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(async () => agent.destroy());
    const said: unknown[] = [];
    for (const cmcd of ['?CMCD=ot%3Dv', '', '?CMCD=ot%3Dv'])
      said.push((await view(`${edge.url}/vod/low/3.m4s${cmcd}`, { agent })).headers['cmsd-dynamic']);
    expect(said).toEqual(['"eddy-test"', undefined, expect.stringMatching(/^"eddy-test";etp=\d+00$/)]);
  });

  it('in another rendition leaves what the old one would have needed', async () => {
    const silent = (): void => {};
    const { edge, play, asked } = await stage({
      prefetch: { bytesMax: 1_000_000, requestsMax: 1 },
      more: { '/vod/low/2.m4s': silent },
    });
    await play('a.mpd');
    await play('low/1.m4s', 'ot=v,sid="s",bl=9000');
    await until(() => asked().includes('low/2.m4s'));
    await play('high/2.m4s', 'ot=v,sid="s",bl=9000');
    expect(edge.ahead.requests).toEqual({ dropped: 2 });
    await until(() => asked().includes('high/4.m4s'));
    expect(asked()).toEqual(['low/1.m4s', 'low/2.m4s', 'high/2.m4s', 'high/3.m4s', 'high/4.m4s']);
  });
});

it('a player whose request for a playlist is held hears how long', async () => {
  const channel = new ScriptedChannel();
  const clock = new HandClock();
  const origin = await startOrigin({ '/live/a.m3u8': channel.playlist });
  const prefetch = { bytesMax: 1_000_000, requestsMax: 4 };
  const live = { offerBlockingReload: true };
  const edge = await startEdge({ origins: [origin.url], liveClock: clock, prefetch, live });
  cleanups.push(
    () => edge.close(),
    () => origin.close(),
  );
  const url = `${edge.url}/live/a.m3u8`;
  await view(url);
  const cmcd = encodeURIComponent('ot=m,sf=h,st=l,sid="s"');
  const held = view(`${url}?_HLS_msn=${channel.last + 1}&CMCD=${cmcd}`);
  await until(() => edge.live.waiting === 1, 'a request that is held');
  channel.advance();
  clock.turnToNext(60_000);
  const { status, headers } = await held;
  expect([status, headers['cmsd-dynamic']]).toEqual([200, '"eddy-test"']);
  expect(headers['cmsd-static']).toMatch(/^ht=[1-9]\d*,n="eddy-test"$/);
  expect(edge.ahead.players).toMatchObject([{ data: { format: 'hls', streamType: 'live' }, stream: '/live/a.m3u8' }]);
});
