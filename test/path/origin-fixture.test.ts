import { expect, test } from 'vitest';
import { assertPattern, patternBytes, resourceBytes, resourceSeed, startOrigin } from '../support/origin.ts';

test('any part of a pattern equals the same part of the whole', () => {
  const whole = patternBytes('a', 0, 1000);
  for (const [first, length] of [
    [0, 1],
    [1, 3],
    [3, 997],
    [5, 0],
    [998, 2],
  ] as const) {
    expect(patternBytes('a', first, length)).toEqual(whole.subarray(first, first + length));
  }
  expect(patternBytes('b', 0, 1000)).not.toEqual(whole);
  expect(() => assertPattern(patternBytes('a', 1, 10), 'a', 0)).toThrow('byte 0 of a');
});

test('the origin answers ranges, conditions and counts what it sent', async () => {
  const origin = await startOrigin({ '/v': { length: 100_000 } });
  const part = await fetch(`${origin.url}/v?q=1`, { headers: { range: 'bytes=10-19', 'if-range': '"v1"' } });
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 10-19/100000']);
  expect(Buffer.from(await part.arrayBuffer())).toEqual(resourceBytes('/v', { first: 10, length: 10 }));
  const stale = await fetch(`${origin.url}/v`, { headers: { range: 'bytes=10-19', 'if-range': '"v0"' } });
  expect(stale.status).toBe(200);
  assertPattern(Buffer.from(await stale.arrayBuffer()), resourceSeed('/v'), 0);
  expect([origin.count('/v'), origin.sent('/v'), origin.ranges('/v')]).toEqual([
    2,
    100_010,
    ['bytes=10-19', 'bytes=10-19'],
  ]);
  expect((await fetch(`${origin.url}/v`, { headers: { range: 'bytes=100000-' } })).status).toBe(416);
  expect((await fetch(`${origin.url}/v`, { headers: { 'if-none-match': '"v1"' } })).status).toBe(304);
  await origin.close();
});

test('scripted faults end as scripted', async () => {
  const origin = await startOrigin({
    '/refuse': { length: 10, refuseTimes: 1, refuseFields: { 'Retry-After': '1' } },
    '/cut': { length: 100_000, cutAfterBytes: 70_000 },
    '/reset': { length: 100_000, resetAfterBytes: 10, faultTimes: 1 },
    '/long': { length: 10, contentLengthLie: 5 },
    '/changes': { length: 10, changeAfterRequests: 1 },
    '/slow': { length: 1000, bytesPerSecond: 5000, chunked: true, etag: false, lastModified: false, ranges: false },
  });
  const read = async (path: string) => Buffer.from(await (await fetch(origin.url + path)).arrayBuffer());
  expect((await fetch(`${origin.url}/refuse`)).status).toBe(503);
  expect((await fetch(`${origin.url}/refuse`)).status).toBe(200);
  await expect(read('/cut')).rejects.toThrow();
  expect(origin.sent('/cut')).toBe(70_000);
  await expect(read('/reset')).rejects.toThrow();
  expect((await read('/reset')).length).toBe(100_000);
  await expect(read('/long')).rejects.toThrow();
  expect(await read('/changes')).toEqual(resourceBytes('/changes', { first: 0, length: 10 }));
  expect(await read('/changes')).toEqual(resourceBytes('/changes', { version: 2, first: 0, length: 10 }));
  const started = performance.now();
  expect((await read('/slow')).length).toBe(1000);
  expect(performance.now() - started).toBeGreaterThan(150);
  await origin.close();
});
