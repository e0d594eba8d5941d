import { request } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { type OriginRoutes, resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { soon } from '../support/until.ts';
import { type Viewed, type ViewOptions, view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

async function start(routes: OriginRoutes, options: { ramBytes?: number; diskBytes?: number } = {}): Promise<void> {
  origin = await startOrigin(routes);
  edge = await startEdge({ origins: [origin.url], relays: 2, ...options });
}

/** Through the first relay or the second one. */
function by(relay: 0 | 1, path: string, options: ViewOptions = {}): Promise<Viewed> {
  return view(edge.urls[relay] + path, options);
}

function cacheStatus({ headers }: Viewed): string {
  return String(headers['cache-status']);
}

/** Times the cache itself was asked, by any relay. */
function countAsks(): () => number {
  const answer = vi.spyOn(edge.cache, 'answer');
  return () => answer.mock.calls.length;
}

describe('a hit', () => {
  test('is given from what was lent, without asking, once it has come as a hit', async () => {
    await start({ '/a.ts': { length: mebibyte } });
    const asks = countAsks();
    expect(cacheStatus(await by(0, '/a.ts'))).toContain('fwd=miss');
    expect(cacheStatus(await by(1, '/a.ts'))).toMatch(/hit; ttl=\d+; detail=ram/);
    expect(cacheStatus(await by(0, '/a.ts'))).toMatch(/hit; ttl=\d+; detail=ram/);
    expect(asks()).toBe(3);
    const bytes = resourceBytes('/a.ts', { first: 0, length: mebibyte });
    for (const relay of [0, 1] as const) {
      const whole = await by(relay, '/a.ts');
      expect(cacheStatus(whole)).toMatch(/hit; ttl=\d+; detail=ram/);
      expect(whole.body.equals(bytes)).toBe(true);
      const part = await by(relay, '/a.ts', { headers: { range: 'bytes=262140-262150' } });
      expect([part.status, part.body.equals(bytes.subarray(262_140, 262_151))]).toEqual([206, true]);
      expect((await by(relay, '/a.ts', { method: 'HEAD' })).headers['content-length']).toBe(String(mebibyte));
      const etag = String(whole.headers.etag);
      expect((await by(relay, '/a.ts', { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
    expect(asks()).toBe(3);
    expect(origin.count()).toBe(1);
  });

  test('says that it came from disk when it did, and one Via and one Age', async () => {
    await start({ '/a.ts': { length: 2 * mebibyte } }, { ramBytes: 64 * 1024, diskBytes: 64 * mebibyte });
    await by(0, '/a.ts');
    const hit = await by(1, '/a.ts');
    expect(cacheStatus(hit)).toMatch(/hit; ttl=\d+; detail=disk/);
    expect(hit.headers.via).toBe('1.1 eddy');
    expect(hit.headers.age).toMatch(/^\d+$/);
    expect(hit.body.equals(resourceBytes('/a.ts', { first: 0, length: 2 * mebibyte }))).toBe(true);
    expect(edge.served.disk).toBe(2 * mebibyte);
  });

  test('holds no more than the RAM tier does', async () => {
    const routes = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`/${i}.ts`, { length: 256 * 1024 }] as const),
    );
    await start(routes, { ramBytes: 4 * mebibyte });
    for (const path of Object.keys(routes).flatMap((each) => [each, each])) await by(0, path);
    await soon(() => expect(edge.sizes()[0]?.pieces).toBeLessThanOrEqual(16));
    expect(edge.sizes()[0]?.pieces).toBeGreaterThan(0);
  });
});

test('a herd on all relays is one request', async () => {
  await start({ '/a.ts': { length: mebibyte, delayMs: 200 } });
  const all = await Promise.all(Array.from({ length: 100 }, (_, i) => by((i % 2) as 0 | 1, '/a.ts')));
  const bytes = resourceBytes('/a.ts', { first: 0, length: mebibyte });
  expect(all.every(({ status, body }) => status === 200 && body.equals(bytes))).toBe(true);
  expect(origin.count()).toBe(1);
  expect(edge.served.origin + edge.served.ram).toBe(100 * mebibyte);
});

describe('what changes', () => {
  test('is seen by all once a purge is over', async () => {
    await start({ '/a.ts': { length: 1000, changeAfterRequests: 1 } });
    for (const relay of [0, 1, 0, 1] as const) await by(relay, '/a.ts');
    expect(await edge.purge({ url: '/a.ts' })).toBe(1);
    const after = resourceBytes('/a.ts', { version: 2, first: 0, length: 1000 });
    for (const relay of [1, 0] as const) expect((await by(relay, '/a.ts')).body.equals(after)).toBe(true);
    expect(origin.count()).toBe(2);
  });

  test('is seen by all once an unsafe request is answered', async () => {
    await start({ '/a.ts': (message, response) => void response.writeHead(200, fresh).end(message.method) });
    for (const relay of [0, 1, 0, 1] as const) expect((await by(relay, '/a.ts')).body.toString()).toBe('GET');
    expect((await by(0, '/a.ts', { method: 'PUT' })).body.toString()).toBe('PUT');
    expect(cacheStatus(await by(1, '/a.ts'))).toContain('fwd=stale');
    expect(origin.requests.map(({ method }) => method)).toEqual(['GET', 'PUT', 'GET']);
  });
});

const fresh = { 'Cache-Control': 'max-age=60', Vary: 'Accept-Language' };

test('variants, private answers and short lives stay what they are', async () => {
  await start({
    '/v': ({ headers }, response) => void response.writeHead(200, fresh).end(headers['accept-language']),
    '/p': (_, response) => void response.writeHead(200, { 'Cache-Control': 'private' }).end('mine'),
    '/s.m3u8': (_, response) => void response.writeHead(200, { 'Cache-Control': 'max-age=1' }).end('#EXTM3U'),
  });
  for (const [relay, language] of [0, 1, 0, 1].flatMap((each) => [[each, 'de'] as const, [each, 'fr'] as const])) {
    const { body } = await by(relay as 0 | 1, '/v', { headers: { 'accept-language': language } });
    expect(body.toString()).toBe(language);
  }
  expect(origin.count('/v')).toBe(2);
  for (const relay of [0, 1, 0, 1] as const) expect(cacheStatus(await by(relay, '/p'))).toContain('fwd=');
  expect(origin.count('/p')).toBe(4);
  for (const relay of [0, 1, 0, 1] as const) await by(relay, '/s.m3u8');
  expect(origin.count('/s.m3u8')).toBe(1);
  await soon(async () => expect(cacheStatus(await by(0, '/s.m3u8'))).toContain('fwd=stale'));
});

test('what players say of themselves reaches the cache, while the bytes are those that were lent', async () => {
  await start({ '/a.ts': { length: 1000 } });
  for (const _ of [1, 2, 3]) await by(0, '/a.ts');
  const asked = vi.spyOn(edge.cache, 'answer');
  await by(0, '/a.ts');
  expect(asked).toHaveBeenCalledTimes(0);
  await by(0, '/a.ts?CMCD=bl%3D1200');
  const { body } = await by(0, '/a.ts', { headers: { 'cmcd-request': 'bl=1200' } });
  expect(asked).toHaveBeenCalledTimes(2);
  expect(body.equals(resourceBytes('/a.ts', { first: 0, length: 1000 }))).toBe(true);
  expect(edge.served).toMatchObject({ origin: 1000, ram: 5000 });
});

test('an answer that wants to be asked for again is', async () => {
  await start({ '/a.ts': { length: 1000 } });
  const { cache } = edge;
  const answer = cache.answer.bind(cache);
  const asked = vi.spyOn(cache, 'answer').mockImplementation(async (request) => {
    const given = await answer(request);
    return given.kind === 'passed' ? given : { ...given, askAgain: true };
  });
  for (const _ of [1, 2, 3]) expect((await by(0, '/a.ts')).body.length).toBe(1000);
  expect(asked).toHaveBeenCalledTimes(3);
});

describe('the main thread', () => {
  test('gets the content of requests, as slowly as it comes, and its failures', async () => {
    await start({
      '/in': (message, response) => {
        let bytes = 0;
        message.on('data', (part: Buffer) => {
          bytes += part.length;
        });
        message.on('end', () => void response.end(String(bytes)));
      },
    });
    const answered = await new Promise<string>((resolve, reject) => {
      const outgoing = request(`${edge.urls[0]}/in`, { method: 'POST', agent: false }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      });
      outgoing.on('error', reject);
      for (let i = 0; i < 40; i++) outgoing.write(Buffer.alloc(50_000));
      outgoing.end();
    });
    expect(answered).toBe('2000000');
  });

  test('is told when a viewer leaves, and nothing stays open', async () => {
    await start({
      '/slow.ts': { length: 20 * mebibyte, bytesPerSecond: mebibyte },
      '/mute.ts': { length: 1, hangBeforeHeaders: true },
      '/passed': { length: mebibyte, bytesPerSecond: 65_536, fields: { 'Cache-Control': 'no-store' } },
    });
    await expect(by(0, '/slow.ts', { leaveAfterBytes: 100_000 })).rejects.toThrow();
    await expect(by(0, '/passed', { leaveAfterBytes: 10_000 })).rejects.toThrow();
    const outgoing = request(`${edge.urls[1]}/mute.ts`, { agent: false });
    outgoing.on('error', () => {}).end();
    await soon(() => expect(origin.count('/mute.ts')).toBe(1));
    outgoing.destroy();
    await soon(() => expect(edge.sizes().map(({ asks }) => asks)).toEqual([0, 0]));
    await origin.idle();
  });

  test('is left alone by answers that need no bytes, in the end', async () => {
    await start({ '/a.ts': { length: mebibyte } });
    const { headers } = await by(0, '/a.ts');
    await by(1, '/a.ts', { headers: { 'if-none-match': String(headers.etag) } });
    await soon(() => expect(edge.sizes().map(({ asks }) => asks)).toEqual([0, 0]));
  });

  test('sends no more than its viewer takes', async () => {
    await start({ '/a.ts': { length: 40 * mebibyte } });
    await by(0, '/a.ts', { headers: { range: 'bytes=0-99' } });
    const before = edge.served.origin + edge.served.ram;
    const outgoing = request(`${edge.urls[0]}/a.ts`, { agent: false }, (response) => void response.pause());
    outgoing.on('error', () => {}).end();
    let last = 0;
    await soon(() => {
      const served = edge.served.origin + edge.served.ram;
      const still = served === last && served > before;
      last = served;
      expect(still).toBe(true);
    }, 300);
    // What sockets hold, and a piece or two.
    expect(last - before).toBeLessThan(12 * mebibyte);
    outgoing.destroy();
  });
});
