import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { type OriginRoutes, resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { removeTree } from '../support/remove-tree.ts';
import { soon, until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

/** Purges count by the millisecond. */
async function turnOfTheClock(): Promise<void> {
  const nowMs = Date.now();
  await until(() => Date.now() > nowMs + 1);
}

describe('what was asked for before a purge', () => {
  test.each([
    { which: { url: '/v/a.ts' } },
    { which: { prefix: '/v/' } },
    { which: { tag: 'news' } },
    { which: 'all' } as const,
  ])('is not used after it, although it came later (%o)', async ({ which }) => {
    const fields = { 'Cache-Control': 'max-age=60', 'Cache-Tag': 'news' };
    const gate = Promise.withResolvers<void>();
    origin = await startOrigin({
      '/v/a.ts': { length: 1000, until: gate.promise, fields },
      '/w.ts': { length: 10, fields: {} },
    });
    edge = await startEdge({ origins: [origin.url] });
    const early = view(`${edge.url}/v/a.ts`);
    await soon(() => expect(origin.count('/v/a.ts')).toBe(1));
    await turnOfTheClock();
    await edge.cache.purge(which, signal());
    gate.resolve();
    expect((await early).status).toBe(200);
    const { headers } = await view(`${edge.url}/v/a.ts`);
    expect(headers['cache-status']).toContain('fwd=stale');
    expect(origin.count('/v/a.ts')).toBe(2);
    expect((await view(`${edge.url}/v/a.ts`)).headers['cache-status']).toContain('hit');
  });

  test('stays usable where the purge named something else', async () => {
    const gate = Promise.withResolvers<void>();
    origin = await startOrigin({ '/a.ts': { length: 1000, until: gate.promise } });
    edge = await startEdge({ origins: [origin.url] });
    const early = view(`${edge.url}/a.ts`);
    await soon(() => expect(origin.count('/a.ts')).toBe(1));
    await turnOfTheClock();
    await edge.cache.purge({ prefix: '/b' }, signal());
    await edge.cache.purge({ tag: 'a' }, signal());
    gate.resolve();
    await early;
    expect((await view(`${edge.url}/a.ts`)).headers['cache-status']).toContain('hit');
  });

  test('is not used after an unsafe request either', async () => {
    const gate = Promise.withResolvers<void>();
    const segment = { length: 1000, until: gate.promise };
    const routes: OriginRoutes = { '/a.ts': segment };
    origin = await startOrigin(routes);
    edge = await startEdge({ origins: [origin.url] });
    const early = view(`${edge.url}/a.ts`);
    await soon(() => expect(origin.count('/a.ts')).toBe(1));
    await turnOfTheClock();
    routes['/a.ts'] = { length: 1000 };
    await view(`${edge.url}/a.ts`, { method: 'DELETE' });
    gate.resolve();
    await early;
    expect((await view(`${edge.url}/a.ts`)).headers['cache-status']).toContain('fwd=stale');
  });
});

test('a purge leaves who is reading alone, and what comes after it is fetched anew', async () => {
  const file = { length: 4 * mebibyte, bytesPerSecond: 8 * mebibyte };
  origin = await startOrigin({
    '/a.mp4': file,
    '/b.mp4': { ...file, chunked: true, etag: false, lastModified: false },
  });
  edge = await startEdge({ origins: [origin.url], diskBytes: 64 * mebibyte });
  const reads = ['/a.mp4', '/b.mp4'].map((path) => view(edge.url + path));
  await soon(() => expect(origin.sent('/b.mp4')).toBeGreaterThan(mebibyte));
  expect(await edge.cache.purge('all', signal())).toBe(2);
  for (const [i, path] of ['/a.mp4', '/b.mp4'].entries()) {
    expect((await reads[i])?.body.equals(resourceBytes(path, { first: 0, length: file.length }))).toBe(true);
    const { headers } = await view(edge.url + path, { headers: { range: 'bytes=0-9' } });
    expect(headers['cache-status']).toContain('fwd=miss');
  }
});

test('a purge reaches what is only on disk, counted right', async () => {
  const count = 50;
  const paths = Array.from({ length: count }, (_, i) => `/${i % 2 === 0 ? 'even' : 'odd'}/${i}.ts`);
  const routes = Object.fromEntries(
    paths.map((path, i) => [path, { length: 1000, fields: { 'Surrogate-Key': `all n${i % 5}` } }]),
  );
  origin = await startOrigin(routes);
  const directory = await mkdtemp(join(tmpdir(), 'eddy-purge-'));
  edge = await startEdge({ origins: [origin.url], diskBytes: 16 * mebibyte, directory });
  for (const path of paths) await view(edge.url + path);
  await edge.close();
  edge = await startEdge({ origins: [origin.url], diskBytes: 16 * mebibyte, directory });
  const hits = async (): Promise<number> => {
    let found = 0;
    for (const path of paths) {
      const { headers } = await view(edge.url + path, { headers: { 'cache-control': 'only-if-cached' } });
      if (headers['cache-status']?.includes('hit')) found += 1;
    }
    return found;
  };
  expect(await edge.cache.purge({ url: paths[0] ?? '' }, signal())).toBe(1);
  expect(await edge.cache.purge({ tag: 'n1' }, signal())).toBe(10);
  expect(await hits()).toBe(count - 11);
  expect(await edge.cache.purge({ prefix: '/odd/' }, signal())).toBe(20);
  expect(await hits()).toBe(19);
  expect(await edge.cache.purge('all', signal())).toBe(19);
  expect(await hits()).toBe(0);
  await removeTree(directory);
});

test('a purge that was missed takes what is from before it, on disk and in memory, and no more', async () => {
  const startedMs = Date.now();
  const fields = { 'Cache-Control': 'max-age=600' };
  origin = await startOrigin({
    '/old.ts': { length: 1000, fields },
    '/new.ts': { length: 1000, fields },
    '/handed-on.ts': { length: 1000, fields: { ...fields, Age: '60' } },
  });
  const directory = await mkdtemp(join(tmpdir(), 'eddy-purge-'));
  const options = { origins: [origin.url], diskBytes: 16 * mebibyte, directory };
  edge = await startEdge(options);
  await view(`${edge.url}/old.ts`);
  const betweenMs = Date.now() + 1;
  await until(() => Date.now() > betweenMs);
  for (const path of ['/new.ts', '/handed-on.ts']) await view(edge.url + path);
  const isHeld = async (path: string): Promise<boolean> => {
    const { status } = await view(edge.url + path, { headers: { 'cache-control': 'only-if-cached' } });
    return status === 200;
  };
  expect(await edge.cache.purgeOlder({ url: '/old.ts' }, { beforeMs: startedMs, signal: signal() })).toBe(0);
  expect(await isHeld('/old.ts')).toBe(true);
  expect(await edge.cache.purgeOlder({ url: '/handed-on.ts' }, { beforeMs: startedMs, signal: signal() })).toBe(1);
  await edge.close();
  edge = await startEdge(options);
  expect(await edge.cache.purgeOlder('all', { beforeMs: betweenMs, signal: signal() })).toBe(1);
  expect(await Promise.all(['/old.ts', '/new.ts', '/handed-on.ts'].map(isHeld))).toEqual([false, true, false]);
  await removeTree(directory);
});

test('what an unsafe request finds on disk is completed without what its player said of itself', async () => {
  origin = await startOrigin({ '/a.mp4': { length: 1000 } });
  const directory = await mkdtemp(join(tmpdir(), 'eddy-purge-'));
  edge = await startEdge({ origins: [origin.url], diskBytes: 16 * mebibyte, directory });
  await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=0-99' } });
  await edge.close();
  edge = await startEdge({ origins: [origin.url], diskBytes: 16 * mebibyte, directory });
  await view(`${edge.url}/a.mp4?CMCD=bl%3D1`, { method: 'POST' });
  const asked = origin.requests.length;
  const { status } = await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=500-599' } });
  expect(status).toBe(206);
  expect(origin.requests.slice(asked).map(({ target }) => target)).toContain('/a.mp4');
  expect(origin.requests.slice(asked).filter(({ target }) => target !== '/a.mp4')).toEqual([]);
  await removeTree(directory);
});
