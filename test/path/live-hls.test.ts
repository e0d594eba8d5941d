import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type EdgeOptions, testPolicy } from '../support/edge.ts';
import { type LiveStage, liveStage } from '../support/live-stage.ts';
import type { OriginRoutes } from '../support/origin.ts';
import { ScriptedChannel } from '../support/scripted-channel.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const path = '/live/main.m3u8';

interface Stage extends LiveStage {
  readonly channel: ScriptedChannel;
  readonly url: string;
}

async function stage({ routes, ...options }: Partial<EdgeOptions> & { routes?: OriginRoutes } = {}): Promise<Stage> {
  const channel = new ScriptedChannel();
  const parts = await liveStage({ [path]: channel.playlist, ...routes }, options);
  return { ...parts, channel, url: parts.edge.url + path };
}

describe('a plain HLS channel', () => {
  it('is asked for once for each version, however many watch', async () => {
    const { channel, origin, url, poll } = await stage();
    const first = await Promise.all(Array.from({ length: 20 }, () => view(url)));
    for (const { status, body } of first) expect([status, body.toString()]).toEqual([200, channel.text()]);
    expect(origin.count(path)).toBe(1);
    for (let round = 0; round < 5; round++) {
      channel.advance();
      await poll();
      const views = await Promise.all(Array.from({ length: 20 }, () => view(url)));
      for (const { body } of views) expect(body.toString()).toBe(channel.text());
    }
    expect(origin.count(path)).toBe(6);
  });

  it('is a hit from RAM with its own lifetime', async () => {
    const { url } = await stage();
    await view(url);
    const { headers } = await view(url);
    expect(headers['cache-status']).toBe('eddy; hit; detail=ram');
    expect(headers['cache-control']).toBe('max-age=1');
    // Date has seconds only: one may have begun since.
    expect(Number(headers.age)).toBeLessThanOrEqual(1);
    expect(headers.etag).toBe('"v0-4-0-false"');
    expect((await view(url, { headers: { 'If-None-Match': '"v0-4-0-false"' } })).status).toBe(304);
  });

  it('is given in gzip and br, each with a validator of its own', async () => {
    const { channel, url } = await stage();
    channel.lines = Array.from({ length: 40 }, (_, i) => `## a comment to make it long, number ${i}`);
    const gzip = await view(url, { headers: { 'Accept-Encoding': 'gzip' } });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(gzip.body).toString()).toBe(channel.text());
    const br = await view(url, { headers: { 'Accept-Encoding': 'gzip, deflate, br' } });
    expect(br.headers['content-encoding']).toBe('br');
    const plain = await view(url);
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(new Set([gzip, br, plain].map(({ headers }) => headers.etag)).size).toBe(3);
    for (const { headers } of [gzip, br, plain]) expect(headers.vary).toBe('Accept-Encoding');
  });

  it('is not asked for any more once nobody watches', async () => {
    const { channel, clock, edge, origin, url } = await stage();
    await view(url);
    for (let round = 0; round < 40 && edge.live.streams().length > 0; round++) {
      const before = edge.live.polls;
      if (clock.turnToNext(60_000)) await until(() => edge.live.polls > before || edge.live.streams().length === 0);
    }
    expect(edge.live.streams()).toEqual([]);
    const asked = origin.count(path);
    expect(asked).toBeLessThan(15);
    channel.advance();
    clock.turn(60_000);
    expect((await view(url)).body.toString()).toBe(channel.text());
    expect(origin.count(path)).toBe(asked + 1);
  });

  it('ends as VOD', async () => {
    const { channel, edge, url, poll } = await stage();
    await view(url);
    channel.advance();
    channel.ended = true;
    await poll();
    expect((await view(url)).body.toString()).toBe(channel.text());
    expect(edge.live.streams()).toEqual([]);
  });

  it('goes on while the origin fails, cuts the playlist off, or is behind', async () => {
    const { channel, origin, url, poll } = await stage();
    await view(url);
    channel.advance(2);
    await poll();
    const newest = channel.text();
    const faults: (typeof channel.instead)[] = [
      (_, response) => response.writeHead(404).end(),
      (_, response) => response.writeHead(500).end(),
      (_, response) => response.end(newest.slice(0, newest.length - 5)),
      (_, response) => response.end(newest.replace('seg-6.ts\n', '').replace(/#EXTINF:[^\n]*\n$/, '')),
      (_, response) => response.destroy(),
    ];
    for (const fault of faults) {
      channel.instead = fault;
      const before = origin.count(path);
      await poll();
      expect(origin.count(path)).toBeGreaterThan(before);
      const { status, body } = await view(url);
      expect([status, body.toString()]).toEqual([200, newest]);
    }
    channel.instead = undefined;
    channel.advance();
    await poll();
    expect((await view(url)).body.toString()).toBe(channel.text());
  });

  it('gives up a playlist that is older than its own window', async () => {
    const { channel, clock, url, poll } = await stage();
    await view(url);
    channel.instead = (_, response) => response.writeHead(500).end();
    for (let round = 0; round < 3; round++) await poll();
    expect((await view(url)).status).toBe(200);
    for (let round = 0; round < 20; round++) {
      clock.turn(1_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await view(url)).status).toBe(500);
  });

  it('is asked for anew, once for all who come, when it became too old before the next look', async () => {
    const { channel, clock, edge, origin, url, poll } = await stage({ live: { offerBlockingReload: true } });
    await view(url);
    // Its window is 10 s.
    channel.instead = (_, response) => response.writeHead(500).end();
    const ageMs = () => edge.live.streams()[0]?.ageMs ?? Number.POSITIVE_INFINITY;
    for (; ageMs() < 6_000; await view(url)) await poll();
    channel.instead = undefined;
    channel.advance(6);
    clock.turn(10_001 - ageMs());
    const asked = origin.count(path);
    const views = await Promise.all(Array.from({ length: 5 }, () => view(`${url}?_HLS_msn=6`)));
    for (const { body } of views) expect(body.toString()).toMatch(/CAN-BLOCK-RELOAD=YES[\s\S]*seg-10\.ts\n$/);
    expect(origin.count(path)).toBe(asked + 1);
    const held = view(`${url}?_HLS_msn=11`);
    await until(() => edge.live.waiting === 1, 'a request that is held');
    channel.advance();
    await poll();
    expect((await held).body.toString()).toMatch(/seg-11\.ts\n$/);
  });

  it('does not go back with an origin that lags by three segments, and goes on once that has caught up', async () => {
    const { channel, url, poll } = await stage();
    channel.advance(20);
    await view(url);
    const newest = channel.text();
    channel.last -= 3;
    channel.first -= 3;
    for (let i = 0; i < 3; i++) {
      await poll();
      expect((await view(url)).body.toString()).toBe(newest);
      channel.advance();
    }
    channel.advance();
    await poll();
    expect((await view(url)).body.toString()).toBe(channel.text());
  });

  it('goes on counting after a restart that was seen twice', async () => {
    const { channel, url, poll } = await stage();
    channel.advance(50);
    await view(url);
    const before = channel.text();
    [channel.first, channel.last] = [0, 0];
    await poll();
    expect((await view(url)).body.toString()).toBe(before);
    await poll();
    const { headers, body } = await view(url);
    expect(body.toString()).toMatch(
      /#EXT-X-MEDIA-SEQUENCE:51\n[\s\S]*seg-54\.ts\n#EXT-X-DISCONTINUITY\n[^\n]+\nseg-0\.ts\?_eddy_epoch=55\n$/,
    );
    expect((await view(url, { headers: { 'If-None-Match': String(headers.etag) } })).status).toBe(304);
    channel.advance();
    await poll();
    expect((await view(url)).body.toString()).toMatch(/#EXT-X-MEDIA-SEQUENCE:52\n[\s\S]*seg-1\.ts\?_eddy_epoch=55\n$/);
  });
});

describe('a plain HLS channel that nobody watched for a while', () => {
  it('goes on counting where its origin began anew meanwhile', async () => {
    const { channel, clock, edge, url } = await stage();
    channel.advance(50);
    await view(url);
    await until(() => {
      clock.turnToNext(60_000);
      return edge.live.streams().length === 0;
    }, 'the channel not being followed');
    clock.turn(60_000);
    [channel.first, channel.last] = [0, 3];
    expect((await view(url)).body.toString()).toMatch(
      /#EXT-X-MEDIA-SEQUENCE:55\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n[\s\S]*#EXT-X-DISCONTINUITY\n.*\nseg-0\.ts\?_eddy_epoch=55\n/,
    );
  });
});

describe('what is not to be mirrored', () => {
  it('is passed on for each request: no-store, private, cookies, Authorization', async () => {
    for (const fields of [{ 'Cache-Control': 'no-store' }, { 'Cache-Control': 'private' }, { 'Set-Cookie': 'a=1' }]) {
      const { channel, edge, origin, url } = await stage();
      channel.fields = fields as Record<string, string>;
      for (let i = 0; i < 3; i++) expect((await view(url)).body.toString()).toBe(channel.text());
      expect(edge.live.streams()).toEqual([]);
      expect(origin.count(path)).toBe(3);
    }
    const { channel, edge, url } = await stage();
    await view(url, { headers: { Authorization: 'Basic eA==' } });
    expect(edge.live.streams()).toEqual([]);
    expect((await view(url)).body.toString()).toBe(channel.text());
  });

  it('is what cannot be understood: the bytes of the origin', async () => {
    const bytes = Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:none\n\u0000\u00ff');
    const { edge } = await stage({ routes: { '/odd.m3u8': (_, response) => void response.end(bytes) } });
    for (let i = 0; i < 2; i++) expect((await view(`${edge.url}/odd.m3u8`)).body).toEqual(bytes);
    expect(edge.live.streams()).toEqual([]);
  });

  it('is switched off for a map', async () => {
    const { edge, url } = await stage({ live: { mirror: false } });
    await view(url);
    expect(edge.live.streams()).toEqual([]);
  });
});

describe('other playlists', () => {
  it('are recognised by their type', async () => {
    const channel = new ScriptedChannel();
    const { edge, origin } = await stage({ routes: { '/channel': channel.playlist } });
    for (let i = 0; i < 3; i++) expect((await view(`${edge.url}/channel?token=a`)).status).toBe(200);
    expect(edge.live.streams()).toHaveLength(1);
    // To see what it is, and to see whether it is current.
    expect(origin.count('/channel')).toBe(2);
  });

  it('have the URLs of mapped origins point to the edge, and no other', async () => {
    const text = (base: string) =>
      [
        '#EXTM3U',
        `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="${base}/audio.m3u8?t=1"`,
        '#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="a"',
        `${base}/video.m3u8?token=a%2Fb&x=1`,
        '#EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO="a"',
        'relative/../low.m3u8',
        '#EXT-X-STREAM-INF:BANDWIDTH=3000,AUDIO="a"',
        'https://elsewhere.example/x.m3u8',
        '',
      ].join('\n');
    const { edge, origin } = await stage({
      routes: {
        '/index.m3u8': (_, response) => {
          response.writeHead(200, { 'Content-Type': 'application/x-mpegURL', 'Cache-Control': 'max-age=60' });
          response.end(text(origin.url));
        },
      },
    });
    for (let i = 0; i < 3; i++) expect((await view(`${edge.url}/index.m3u8`)).body.toString()).toBe(text(''));
    expect((await view(`${edge.url}/index.m3u8`)).headers['cache-status']).toContain('hit');
    expect(origin.count('/index.m3u8')).toBe(1);
  });
});

describe('playlists of the configuration', () => {
  it('are followed when nobody watches, also those that a multivariant one names', async () => {
    const index = '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlive/main.m3u8\n';
    const { clock, edge, origin, channel } = await stage({
      live: { follow: ['/index.m3u8'] },
      routes: { '/index.m3u8': (_, response) => void response.end(index) },
    });
    edge.live.follow(() => [testPolicy]);
    await until(() => edge.live.streams().length === 1, 'the channel being followed');
    for (let i = 0; i < 15; i++) {
      const before = edge.live.polls;
      channel.advance();
      clock.turn(2_500);
      await until(() => edge.live.polls > before, 'a poll');
    }
    expect(edge.live.streams()).toMatchObject([{ url: path, kind: 'hls', mediaSequence: 19 }]);
    expect(origin.count(path)).toBeGreaterThan(10);
  });
});
