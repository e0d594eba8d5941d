import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { soon } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

test('browsers whose Accept-Encoding differs do not put out what was stored for the others', async () => {
  const plain = Buffer.from('#EXTM3U\n'.repeat(500));
  const coded = gzipSync(plain);
  origin = await startOrigin((request, response) => {
    const gzip = /gzip/.test(request.headers['accept-encoding']?.toString() ?? '');
    const body = gzip ? coded : plain;
    const fields = { ETag: gzip ? '"gzip"' : '"plain"', 'Cache-Control': 'max-age=60', Vary: 'Accept-Encoding' };
    response.writeHead(200, {
      ...fields,
      'Content-Length': body.length,
      ...(gzip && { 'Content-Encoding': 'gzip' }),
    });
    response.end(body);
  });
  edge = await startEdge({ origins: [origin.url] });
  const asked = ['gzip, deflate, br, zstd', 'gzip, deflate, br', 'gzip', 'identity'];
  for (const round of [1, 2, 3]) {
    for (const encodings of asked) {
      const { body, headers } = await view(`${edge.url}/a.json`, { headers: { 'accept-encoding': encodings } });
      expect(body.equals(encodings === 'identity' ? plain : coded)).toBe(true);
      expect(headers['cache-status']).toContain(round === 1 ? 'fwd=' : '; hit');
    }
  }
  expect(origin.count()).toBe(asked.length);
});

test('a herd of browsers whose Accept-Encoding differs costs one request for each of these', async () => {
  origin = await startOrigin((request, response) => {
    const fields = {
      ETag: `"${request.headers['accept-encoding']}"`,
      'Cache-Control': 'max-age=60',
      Vary: 'Accept-Encoding',
    };
    setTimeout(() => response.writeHead(200, fields).end(`${request.headers['accept-encoding']}`), 50);
  });
  edge = await startEdge({ origins: [origin.url] });
  const encodings = ['gzip', 'br', 'zstd', 'deflate', 'identity', 'compress'];
  await Promise.all(
    Array.from({ length: 120 }, async (_, i) => {
      const wanted = encodings[i % encodings.length] ?? '';
      const { status, body } = await view(`${edge.url}/a.json`, { headers: { 'accept-encoding': wanted } });
      expect(status).toBe(200);
      expect(body.toString()).toBe(wanted);
    }),
  );
  expect(origin.count()).toBe(encodings.length);
});

test.each([{ 'cache-control': 'no-store' }, { authorization: 'Bearer of bad news' }])(
  'whose response is kept from others (%o) does not make a herd of them',
  async (headers) => {
    const segment = { length: 1000, delayMs: 100, fields: { 'Cache-Control': 'max-age=60' } };
    origin = await startOrigin({ '/seg.ts': segment });
    edge = await startEdge({ origins: [origin.url] });
    const first = view(`${edge.url}/seg.ts`, { headers });
    await soon(() => expect(origin.count('/seg.ts')).toBe(1));
    const others = Array.from({ length: 50 }, () => view(`${edge.url}/seg.ts`));
    const expected = resourceBytes('/seg.ts', { first: 0, length: segment.length });
    for (const { body } of await Promise.all([first, ...others])) expect(body.equals(expected)).toBe(true);
    expect(origin.count('/seg.ts')).toBe(2);
  },
);

test('an origin that answered a range with the whole is not asked for another one while that arrives', async () => {
  const file = { length: 12 * mebibyte, ranges: false, bytesPerSecond: 24 * mebibyte };
  origin = await startOrigin({ '/whole.mp4': file });
  edge = await startEdge({ origins: [origin.url] });
  const firsts = [file.length - 1000, 9 * mebibyte, 100];
  const views = await Promise.all(
    firsts.map((first) => view(`${edge.url}/whole.mp4`, { headers: { range: `bytes=${first}-${first + 99}` } })),
  );
  for (const [i, { status, body }] of views.entries()) {
    expect(status).toBe(206);
    expect(body.equals(resourceBytes('/whole.mp4', { first: firsts[i] ?? 0, length: 100 }))).toBe(true);
  }
  expect(origin.count('/whole.mp4')).toBe(1);
});

test('RFC 9111 section 4.3.5: a HEAD that tells of another Vary holds for what is stored', async () => {
  origin = await startOrigin((request, response) => {
    const fields = { ETag: '"same"', 'Cache-Control': 'max-age=60', 'Content-Length': 5 };
    response.writeHead(200, request.method === 'HEAD' ? { ...fields, Vary: 'Foo' } : fields);
    response.end(request.method === 'HEAD' ? undefined : 'bytes');
  });
  edge = await startEdge({ origins: [origin.url] });
  const statusFor = async (foo: string, more: { method?: string; headers?: Record<string, string> } = {}) => {
    const { headers } = await view(`${edge.url}/a.json`, { ...more, headers: { foo, ...more.headers } });
    return headers['cache-status'];
  };
  await statusFor('1');
  await statusFor('1', { method: 'HEAD', headers: { 'cache-control': 'no-cache' } });
  expect(await statusFor('1')).toContain('; hit');
  expect(await statusFor('2')).toContain('fwd=vary-miss');
});
