import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SampleOrigin, startSampleOrigin } from '../../src/sample/origin.ts';
import { type ViewOptions, view } from '../support/viewer.ts';

const epochMs = Date.UTC(2026, 10, 1);
const startMs = Date.UTC(2026, 10, 21, 9, 0, 1);
let origin: SampleOrigin;
let nowMs = startMs;
let status: () => unknown = () => ({ offload: 0.5 });
const get = (path: string, options: ViewOptions = {}) => view(origin.url + path, options);
const withFields = (path: string, headers: Record<string, string>) => get(path, { headers });

beforeAll(async () => {
  origin = await startSampleOrigin({ status: () => status(), nowMs: () => nowMs });
});
afterAll(() => origin.close());

describe('what the sample origin serves', () => {
  it.each([
    ['/', 'text/html; charset=utf-8', 'no-cache'],
    ['/page.js', 'text/javascript; charset=utf-8', 'no-cache'],
    ['/page.css', 'text/css; charset=utf-8', 'no-cache'],
    ['/eddy.svg', 'image/svg+xml', 'no-cache'],
    ['/vendor/hls.min.js', 'text/javascript; charset=utf-8', 'max-age=3600, immutable'],
    ['/vendor/dash.all.min.js', 'text/javascript; charset=utf-8', 'max-age=3600, immutable'],
    ['/vod/hls-ts/index.m3u8', 'application/vnd.apple.mpegurl', 'max-age=60'],
    ['/vod/hls-ts/low/11.ts', 'video/mp2t', 'max-age=3600, immutable'],
    ['/vod/cmaf/index.mpd', 'application/dash+xml', 'max-age=60'],
    ['/vod/cmaf/high/0.m4s', 'video/mp4', 'max-age=3600, immutable'],
    ['/vod/cmaf/audio/init.mp4', 'audio/mp4', 'max-age=3600, immutable'],
    ['/vod/single/audio.mp4', 'audio/mp4', 'max-age=3600, immutable'],
    ['/live/index.m3u8', 'application/vnd.apple.mpegurl', 'max-age=1'],
    ['/sample/status.json', 'application/json', 'no-store'],
  ])('%s has its type, lifetime and validators', async (path, contentType, cacheControl) => {
    const { status: code, headers, body } = await get(path);
    expect(code).toBe(200);
    expect(headers).toMatchObject({ 'content-type': contentType, 'cache-control': cacheControl });
    expect(headers['content-length']).toBe(String(body.length));
    expect(headers.etag).toMatch(/^"[\w-]{20}"$/);
    expect(Date.parse(headers['last-modified'] ?? '')).toBeGreaterThan(0);
    const head = await get(path, { method: 'HEAD' });
    expect(head.body.length).toBe(0);
    expect({ ...head.headers, date: '' }).toEqual({ ...headers, date: '' });
  });

  it('lists nothing in its playlists and MPDs that is not there', async () => {
    const roots = ['/vod/hls-ts/index.m3u8', '/vod/cmaf/index.m3u8', '/vod/single/index.m3u8', '/live/index.m3u8'];
    const missing: string[] = [];
    let found = 0;
    for (const queue = [...roots, ...(await mpdUris('cmaf')), ...(await mpdUris('single'))]; queue.length > 0; ) {
      const path = queue.shift() ?? '';
      const answer = await get(path);
      if (answer.status === 200) found++;
      else missing.push(path);
      if (path.endsWith('.m3u8')) queue.push(...playlistUris(path, answer.body.toString()));
    }
    expect(missing).toEqual([]);
    expect(found).toBeGreaterThan(100);
  });

  it('states byte ranges that end where the files end and begin with a movie fragment', async () => {
    for (const name of ['high', 'low', 'audio']) {
      const playlist = (await get(`/vod/single/${name}.m3u8`)).body.toString();
      const file = (await get(`/vod/single/${name}.mp4`)).body;
      const ranges = [...playlist.matchAll(/^#EXT-X-BYTERANGE:(\d+)@(\d+)$/gm)].map((match) =>
        match.slice(1).map(Number),
      );
      expect(ranges.length).toBe(12);
      for (const [length = 0, first = 0] of ranges)
        expect(boxType(file, first), `${name} ${first}+${length}`).toBe('moof');
      const [length = 0, first = 0] = ranges.at(-1) ?? [];
      expect(first + length).toBe(file.length);
      const mpd = (await get('/vod/single/index.mpd')).body.toString();
      const [, index = ''] = new RegExp(`${name}\\.mp4</BaseURL>\\s*<SegmentBase indexRange="(\\d+)-`).exec(mpd) ?? [];
      expect(boxType(file, Number(index))).toBe('sidx');
    }
  });

  it('says the status of the moment, or that it cannot be told', async () => {
    expect(JSON.parse((await get('/sample/status.json?t=1')).body.toString())).toEqual({ offload: 0.5 });
    status = () => {
      throw new Error('no figures');
    };
    expect(await get('/sample/status.json')).toMatchObject({ status: 500, headers: { 'cache-control': 'no-store' } });
    status = () => ({ offload: 0.75 });
    expect((await get('/sample/status.json')).body.toString()).toBe('{"offload":0.75}');
  });

  it.each([
    '/nothing',
    '/vod',
    '/vod/',
    '/page/index.html',
    '/vod/../origin.ts',
    '/../../package.json',
    '/%2e%2e/origin.ts',
    '/vod/hls-ts/..%2f..%2f..%2forigin.ts',
    '//etc/passwd',
    '/constructor',
  ])('has no %s', async (path) => {
    const answer = await rawGet(path);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect(answer).toMatch(/\r\ncache-control: no-store\r\n/i);
  });

  it('refuses other methods by name', async () => {
    expect(await get('/', { method: 'POST' })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });
});

describe('ranges of the sample origin', () => {
  const path = '/vod/single/high.mp4';
  let whole: Buffer;
  let etag = '';
  let lastModified = '';
  beforeAll(async () => {
    const answer = await get(path);
    whole = answer.body;
    [etag, lastModified] = [answer.headers.etag ?? '', answer.headers['last-modified'] ?? ''];
    expect(whole.equals(await readFile(new URL('../../src/sample/media/single/high.mp4', import.meta.url)))).toBe(true);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=757-940', 757, 941],
    ['bytes=1000-', 1000, undefined],
    ['bytes=-500', -500, undefined],
    ['bytes=-99999999', 0, undefined],
    ['bytes=100-99999999', 100, undefined],
  ] as const)('%s', async (range, first, end) => {
    const { status: code, headers, body } = await withFields(path, { range });
    const wanted = whole.subarray(first, end);
    expect(code).toBe(206);
    const from = first < 0 ? whole.length + first : first;
    expect(headers['content-range']).toBe(`bytes ${from}-${from + wanted.length - 1}/${whole.length}`);
    expect(body.equals(wanted)).toBe(true);
  });

  it.each(['bytes=99999999-', 'bytes=-0'])('%s cannot be satisfied', async (range) => {
    const answer = await withFields(path, { range });
    expect(answer).toMatchObject({ status: 416, headers: { 'content-range': `bytes */${whole.length}` } });
  });

  it.each(['bytes=5-2', 'bytes=-', 'bytes=0-1,5-6', 'lines=1-2', 'bytes=x-'])('%s is ignored', async (range) => {
    expect(await withFields(path, { range })).toMatchObject({ status: 200, body: { length: whole.length } });
  });

  it('hold only for the representation that If-Range names', async () => {
    const range = 'bytes=0-9';
    expect((await withFields(path, { range, 'if-range': etag })).status).toBe(206);
    expect((await withFields(path, { range, 'if-range': lastModified })).status).toBe(206);
    expect((await withFields(path, { range, 'if-range': '"other"' })).status).toBe(200);
    expect((await withFields(path, { range, 'if-range': `W/${etag}` })).status).toBe(200);
  });

  it('give way to preconditions', async () => {
    const unmodified = await withFields(path, { range: 'bytes=0-9', 'if-none-match': `"x", W/${etag}` });
    expect(unmodified).toMatchObject({ status: 304, headers: { etag }, body: { length: 0 } });
    expect((await withFields(path, { 'if-none-match': '"x"', 'if-modified-since': lastModified })).status).toBe(200);
    expect((await withFields(path, { 'if-modified-since': lastModified })).status).toBe(304);
    expect((await withFields(path, { 'if-match': '"x"' })).status).toBe(412);
    expect((await withFields(path, { 'if-match': etag, range: 'bytes=0-9' })).status).toBe(206);
    const longAgo = new Date(0).toUTCString();
    expect((await withFields(path, { 'if-unmodified-since': longAgo })).status).toBe(412);
    expect((await withFields(path, { 'if-modified-since': longAgo })).status).toBe(200);
  });
});

describe('the live channel', () => {
  it('repeats the MPEG-TS rendition across its loop point, two seconds a segment', async () => {
    for (let step = 0; step < 14; step++) {
      nowMs = startMs + step * 2000;
      const { body, headers } = await get('/live/index.m3u8');
      const uris = playlistUris('/live/index.m3u8', body.toString());
      expect(uris.length).toBe(6);
      const newest = Number(/seg-(\d+)\.ts$/.exec(uris.at(-1) ?? '')?.[1]);
      // The one that has ended last: 12 segments of 2 s a round.
      expect(newest).toBe(Math.floor((nowMs - epochMs) / 2000) - 1);
      expect(Date.parse(headers['last-modified'] ?? '')).toBe(epochMs + (newest + 1) * 2000);
      const segment = await get(`/live/seg-${newest}.ts`);
      const file = await get(`/vod/hls-ts/high/${String(newest % 12).padStart(2, '0')}.ts`);
      expect(segment.body.equals(file.body)).toBe(true);
      expect(segment.headers['cache-control']).toBe('max-age=3600, immutable');
      expect((await get(`/live/seg-${newest + 1}.ts`)).status).toBe(404);
      expect((await get(`/live/seg-${newest - 13}.ts`)).status).toBe(404);
      expect((await get(`/live/seg-${newest - 12}.ts`)).status).toBe(200);
    }
  });

  it('is on air on a clock that is not set', async () => {
    const other = await startSampleOrigin({ status: () => null, nowMs: () => 60_000 });
    try {
      const { body } = await view(`${other.url}/live/index.m3u8`);
      expect(playlistUris('/live/index.m3u8', body.toString()).at(-1)).toBe('/live/seg-11.ts');
    } finally {
      await other.close();
    }
  });

  it.each(['-1', '01', '1e3', '99999999999999999999', 'x'])('has no segment %s', async (name) => {
    expect((await get(`/live/seg-${name}.ts`)).status).toBe(404);
  });
});

it('closes with connections open', async () => {
  const other = await startSampleOrigin({ status: () => null });
  const socket = connect(Number(new URL(other.url).port), '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  await other.close();
  await closed;
  await expect(view(other.url)).rejects.toThrow(/ECONNREFUSED/);
});

const boxType = (file: Buffer, first: number): string => file.toString('latin1', first + 4, first + 8);

function playlistUris(base: string, playlist: string): string[] {
  const named = [...playlist.matchAll(/URI="([^"]+)"/g)].map(([, uri = '']) => uri);
  const listed = playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return [...new Set([...named, ...listed])].map((uri) => new URL(uri, `http://sample${base}`).pathname);
}

/** Every URI of the sample's own MPDs: templates by number, or base URLs. */
async function mpdUris(form: string): Promise<string[]> {
  const mpd = (await get(`/vod/${form}/index.mpd`)).body.toString();
  const uris = [...mpd.matchAll(/(?:initialization="|<BaseURL>)([^"<]+)/g)].map(([, uri]) => uri);
  for (const [, media = ''] of mpd.matchAll(/media="([^"]+)"/g))
    for (let number = 0; number < 12; number++) uris.push(media.replace('$Number$', String(number)));
  return uris.map((uri) => `/vod/${form}/${uri}`);
}

/** Sends the path as it is; URL parsers would tidy it up. */
async function rawGet(path: string): Promise<string> {
  const socket = connect(Number(new URL(origin.url).port), '127.0.0.1');
  socket.end(`GET ${path} HTTP/1.1\r\nHost: sample\r\nConnection: close\r\n\r\n`);
  return text(socket);
}
