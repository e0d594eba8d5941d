import { afterEach, describe, expect, test, vi } from 'vitest';
import { type Edge, type EdgeOptions, startEdge } from '../support/edge.ts';
import { type OriginResource, resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { until } from '../support/until.ts';
import { type Viewed, type ViewOptions, view } from '../support/viewer.ts';

const length = 1_500_000;
const path = '/seg.ts';
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

async function start(resource: Partial<OriginResource>, options: Partial<EdgeOptions> = {}): Promise<void> {
  origin = await startOrigin({ [path]: { length, ...resource } });
  const short = { connectTimeoutMs: 500, firstByteTimeoutMs: 500, idleTimeoutMs: 500 };
  edge = await startEdge({ origins: [origin.url], origin: short, ...options });
}

function get(options: ViewOptions = {}): Promise<Viewed> {
  return view(`${edge.url}${path}`, options);
}

const bytesOf = (version = 1): Buffer => resourceBytes(path, { version, first: 0, length });

/** The right bytes of one version, or an error the viewer can see: a status, or a connection that is cut. */
async function expectRightOrClear(
  viewing: Promise<Viewed>,
  versions: readonly number[] = [1],
): Promise<'right' | 'clear'> {
  const viewed = await viewing.catch(() => undefined);
  if (viewed === undefined || viewed.status >= 500) return 'clear';
  expect(viewed.status).toBe(200);
  expect(versions.some((version) => viewed.body.equals(bytesOf(version)))).toBe(true);
  return 'right';
}

describe('a broken origin', () => {
  test('503: told to all who wait, asked once, and over when the origin is back', async () => {
    const gate = Promise.withResolvers<void>();
    await start({ refuseTimes: 1, until: gate.promise });
    const asked = vi.spyOn(edge.cache, 'answer');
    const views = Array.from({ length: 20 }, () => get());
    await until(() => asked.mock.calls.length === views.length && origin.count() === 1);
    gate.resolve();
    const statuses = (await Promise.all(views)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([503]));
    expect(origin.count()).toBe(1);
    expect((await get()).body.equals(bytesOf())).toBe(true);
  });

  test('503 while stale: the old response is served', async () => {
    let now = Date.now();
    await start(
      { fields: { 'Cache-Control': 'max-age=10' }, refuseAfterRequests: 1, refuseTimes: 5 },
      { now: () => now },
    );
    await get();
    now += 60_000;
    const stale = await get();
    expect(stale.status).toBe(200);
    expect(stale.body.equals(bytesOf())).toBe(true);
    expect(stale.headers['cache-status']).toContain('fwd=stale; fwd-status=503');
    expect(Number(stale.headers.age)).toBeGreaterThanOrEqual(59);
  });

  test('a long 5xx for one viewer alone, while stale: its connection is given back', async () => {
    let now = Date.now();
    let up = true;
    origin = await startOrigin((request, response) => {
      const status = up || request.url !== path ? 200 : 500;
      response.writeHead(status, { 'Cache-Control': status === 200 ? 'max-age=10' : 'no-store' });
      response.end(Buffer.alloc(status === 200 ? 1000 : 4_000_000));
    });
    edge = await startEdge({ origins: [origin.url], origin: { requestsMax: 1 }, now: () => now });
    await get();
    now += 60_000;
    up = false;
    expect((await get()).headers['cache-status']).toContain('fwd=stale; fwd-status=500');
    expect((await view(`${edge.url}/other.ts`)).status).toBe(200);
  });

  test('origin gone: what is fresh and what is stale is served, what is unknown is a 502', async () => {
    let now = Date.now();
    await start({ fields: { 'Cache-Control': 'max-age=10' } }, { now: () => now });
    await get();
    await origin.close();
    expect((await get()).status).toBe(200);
    now += 60_000;
    expect((await get()).body.equals(bytesOf())).toBe(true);
    expect((await view(`${edge.url}/other`)).status).toBe(502);
    origin = await startOrigin({});
  });

  test('hanging before its answer: 504 within the deadline', async () => {
    await start({ hangBeforeHeaders: true });
    expect((await get()).status).toBe(504);
  });

  test.each([
    ['hangs', { hangAfterBytes: 700_000, faultTimes: 1 }],
    ['resets', { resetAfterBytes: 700_000, faultTimes: 1 }],
    ['ends', { cutAfterBytes: 700_000, faultTimes: 1 }],
  ])('a body that %s mid-way is continued from where it broke', async (_name, fault) => {
    await start(fault);
    expect(await expectRightOrClear(get())).toBe('right');
    // A reset may lose what was on its way, but never costs a second whole.
    expect(origin.sent()).toBeLessThan(length + 700_000);
  });

  test.each([
    ['hangs for ever', { hangAfterBytes: 700_000 }],
    ['is always reset', { resetAfterBytes: 1000 }],
    ['breaks without validator', { cutAfterBytes: 700_000, etag: false as const, lastModified: false }],
    ['is shorter than it says', { contentLengthLie: 1000 }],
    ['is longer than it says', { contentLengthLie: -1000 }],
    ['is shorter, without ranges', { contentLengthLie: 1000, ranges: false }],
    ['breaks off chunked', { chunked: true, resetAfterBytes: 700_000 }],
  ])('a body that %s never becomes a wrong answer', async (_name, fault) => {
    await start(fault);
    for (let round = 0; round < 3; round++) {
      const viewed = await get().catch(() => undefined);
      if (viewed === undefined || viewed.status !== 200) continue;
      // Longer than announced: what was announced is what there is.
      expect(bytesOf().subarray(0, viewed.body.length).equals(viewed.body)).toBe(true);
      expect(viewed.body.length).toBe(Number(viewed.headers['content-length'] ?? length));
    }
  });

  test('an ETag that changes mid-object ends in one version, for every reader', async () => {
    await start({ changeAfterRequests: 1, resetAfterBytes: 700_000, faultTimes: 1 });
    const first = await Promise.all(Array.from({ length: 10 }, () => expectRightOrClear(get(), [1, 2])));
    expect(first.length).toBe(10);
    expect(await expectRightOrClear(get(), [2])).toBe('right');
  });

  test('a version that ended while it was read is not begun again', async () => {
    await start({ changeAfterRequests: 1, resetAfterBytes: 700_000, faultTimes: 1 });
    expect(await expectRightOrClear(get(), [])).toBe('clear');
    expect(await expectRightOrClear(get(), [2])).toBe('right');
    expect(origin.count()).toBe(3);
  });

  test('ranges of a file that keeps changing are each of one version', async () => {
    await start({ changeAfterRequests: 3 });
    for (let first = 0; first < length; first += 100_000) {
      const last = Math.min(first + 99_999, length - 1);
      const viewed = await get({ headers: { range: `bytes=${first}-${last}` } });
      expect(viewed.status).toBe(206);
      const version = viewed.headers.etag === '"v1"' ? 1 : 2;
      expect(viewed.body.equals(bytesOf(version).subarray(first, last + 1))).toBe(true);
    }
    expect((await get()).body.equals(bytesOf(2))).toBe(true);
  });
});

describe('an unusual origin', () => {
  test.each([
    ['without ranges', { ranges: false }],
    ['without length', { chunked: true }],
    ['without validators', { etag: false as const, lastModified: false }],
    ['without any of them', { ranges: false, chunked: true, etag: false as const, lastModified: false }],
  ])('%s: whole and in ranges, cold and warm', async (_name, resource) => {
    await start(resource);
    const range = { headers: { range: 'bytes=100000-299999' } };
    for (let round = 0; round < 2; round++) {
      const part = await get(range);
      const expected = part.status === 206 ? bytesOf().subarray(100_000, 300_000) : bytesOf();
      expect(part.body.equals(expected)).toBe(true);
      expect((await get()).body.equals(bytesOf())).toBe(true);
    }
    const warm = await get(range);
    expect([warm.status, warm.headers['content-range']]).toEqual([206, `bytes 100000-299999/${length}`]);
    expect(warm.headers['cache-status']).toMatch(/^eddy; hit/);
  });
});
