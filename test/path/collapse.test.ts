import { afterEach, describe, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
const wholeOf = (path: string, { length }: { length: number }, version = 1): Buffer =>
  resourceBytes(path, { version, first: 0, length });
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

describe('read while write', () => {
  test('1,000 viewers of one cold segment cost one request', async () => {
    const segment = { length: 400_000, delayMs: 50, fields: { 'Cache-Control': 'max-age=60' } };
    origin = await startOrigin({ '/seg.ts': segment });
    edge = await startEdge({ origins: [origin.url] });
    const views = await Promise.all(Array.from({ length: 1000 }, () => view(`${edge.url}/seg.ts`)));
    const expected = wholeOf('/seg.ts', segment);
    for (const { status, body } of views) {
      expect(status).toBe(200);
      expect(body.equals(expected)).toBe(true);
    }
    expect(origin.count('/seg.ts')).toBe(1);
    expect(origin.sent('/seg.ts')).toBe(segment.length);
  });

  test('the first viewer leaving mid-way changes nothing for the others', async () => {
    const segment = { length: 2 * mebibyte, bytesPerSecond: 4 * mebibyte };
    origin = await startOrigin({ '/seg.ts': segment });
    edge = await startEdge({ origins: [origin.url] });
    const first = view(`${edge.url}/seg.ts`, { leaveAfterBytes: 100_000 });
    const others = Array.from({ length: 50 }, () => view(`${edge.url}/seg.ts`));
    await expect(first).rejects.toThrow();
    const expected = wholeOf('/seg.ts', segment);
    for (const { body } of await Promise.all(others)) expect(body.equals(expected)).toBe(true);
    expect(origin.count('/seg.ts')).toBe(1);
  });

  test.each(['closed', 'open'])(
    '200 viewers at 200 offsets of a cold 50 MB file fetch it once (%s ranges)',
    async (form) => {
      const file = { length: 50 * mebibyte };
      origin = await startOrigin({ '/big.mp4': file });
      edge = await startEdge({ origins: [origin.url], ramBytes: 128 * mebibyte });
      const expected = wholeOf('/big.mp4', file);
      const step = Math.ceil(file.length / 200);
      const read = async (index: number): Promise<void> => {
        const first = ((index * 37) % 200) * step;
        const last = Math.min(first + step, file.length) - 1;
        const range = form === 'closed' ? `bytes=${first}-${last}` : `bytes=${first}-`;
        const leave = form === 'closed' ? {} : { leaveAfterBytes: last - first + 1 };
        const viewed = view(`${edge.url}/big.mp4`, { headers: { range }, ...leave });
        if (form === 'open')
          return viewed.then(
            () => {},
            () => {},
          );
        const { status, body } = await viewed;
        expect(status).toBe(206);
        expect(body.equals(expected.subarray(first, last + 1))).toBe(true);
      };
      await Promise.all(Array.from({ length: 200 }, (_, index) => read(index)));
      expect(origin.sent('/big.mp4')).toBeLessThanOrEqual(file.length * 1.05);
    },
  );
});

describe('gaps', () => {
  test('only the missing bytes are asked for', async () => {
    const file = { length: mebibyte };
    origin = await startOrigin({ '/a.mp4': file });
    edge = await startEdge({ origins: [origin.url] });
    const expected = wholeOf('/a.mp4', file);
    await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=1000-1999' } });
    await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=5000-5999' } });
    const { body } = await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=0-6999' } });
    expect(body.equals(expected.subarray(0, 7000))).toBe(true);
    expect(origin.ranges('/a.mp4').slice(2).sort()).toEqual(['bytes=0-999', 'bytes=2000-4999', 'bytes=6000-6999']);
    const whole = await view(`${edge.url}/a.mp4`);
    expect(whole.body.equals(expected)).toBe(true);
    expect(origin.ranges('/a.mp4').at(-1)).toBe('bytes=7000-');
    expect(origin.sent('/a.mp4')).toBe(file.length);
  });

  test('a changed validator drops the old bytes; no answer mixes two versions', async () => {
    const file = { length: 512 * 1024, changeAfterRequests: 1 };
    origin = await startOrigin({ '/a.mp4': file });
    edge = await startEdge({ origins: [origin.url] });
    const old = await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=0-99999' } });
    expect(old.body.equals(wholeOf('/a.mp4', file, 1).subarray(0, 100_000))).toBe(true);
    const now = await view(`${edge.url}/a.mp4`, { headers: { range: 'bytes=100000-199999' } });
    expect(now.headers.etag).not.toBe(old.headers.etag);
    expect(now.body.equals(wholeOf('/a.mp4', file, 2).subarray(100_000, 200_000))).toBe(true);
    const whole = await view(`${edge.url}/a.mp4`);
    expect(whole.body.equals(wholeOf('/a.mp4', file, 2))).toBe(true);
  });
});

test('without any tier a slow viewer costs no second fetch', async () => {
  const file = { length: 16 * mebibyte };
  origin = await startOrigin({ '/a.mp4': file });
  edge = await startEdge({ origins: [origin.url], ramBytes: 0 });
  const expected = wholeOf('/a.mp4', file);
  const [slow, fast] = await Promise.all([view(`${edge.url}/a.mp4`, { pauseMs: 1 }), view(`${edge.url}/a.mp4`)]);
  expect(slow.body.equals(expected)).toBe(true);
  expect(fast.body.equals(expected)).toBe(true);
  expect(origin.sent('/a.mp4')).toBeLessThanOrEqual(file.length * 2);
});
