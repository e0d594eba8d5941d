import { expect, test, vi } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { assertPattern, type OriginResource, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';

const length = 300_000;

async function readResumed(resource: Partial<OriginResource>, fields: Record<string, string> = {}) {
  const origin = kept(await startOrigin({ '/v': { length, ...resource } }));
  const onAttempt = vi.fn();
  const supplier = kept(supplierFor({ upstreams: [origin.url], requestsMax: 1 }, { onAttempt }));
  const supply = await ask(supplier, '/v', { fields: Fields.of(fields) });
  return { origin, supplier, supply, onAttempt };
}

test('a body cut three times arrives as one', async () => {
  const { supply, origin } = await readResumed({ cutAfterBytes: 90_000 });
  const body = await readAll(supply);
  expect(body.length).toBe(length);
  assertPattern(body, resourceSeed('/v'), 0);
  expect(origin.ranges('/v')).toEqual([undefined, 'bytes=90000-299999', 'bytes=180000-299999', 'bytes=270000-299999']);
  const headers = origin.requests[1]?.rawHeaders.join('|');
  expect(headers).toContain('If-Range|"v1"');
});

test.each([
  ['reset', { resetAfterBytes: 90_000, faultTimes: 3 }],
  ['stopped', { hangAfterBytes: 90_000, faultTimes: 2 }],
  ['cut, with Last-Modified only', { cutAfterBytes: 90_000, etag: false } as const],
  ['said to be longer than it is for the first time', { cutAfterBytes: 299_999, faultTimes: 1 }],
])('a body %s goes on', async (_, resource) => {
  const { supply } = await readResumed(resource);
  const body = await readAll(supply);
  expect(body.length).toBe(length);
  assertPattern(body, resourceSeed('/v'), 0);
});

test('a part goes on as that part, whatever conditions the first request had', async () => {
  const fields = { Range: 'bytes=1000-200999', 'If-None-Match': '"old"', 'If-Range': '"v1"', 'X-Kept': '1' };
  const { supply, origin } = await readResumed({ cutAfterBytes: 150_000, faultTimes: 1 }, fields);
  expect([supply.status, supply.fields.get('content-range')]).toEqual([206, 'bytes 1000-200999/300000']);
  const body = await readAll(supply);
  expect(body.length).toBe(200_000);
  assertPattern(body, resourceSeed('/v'), 1000);
  expect(origin.ranges('/v')).toEqual(['bytes=1000-200999', 'bytes=151000-200999']);
  const again = origin.requests[1]?.rawHeaders ?? [];
  expect(again).toContain('X-Kept');
  expect(again).not.toContain('If-None-Match');
});

test('the next upstream continues where the first one died', async () => {
  const dying = await startOrigin({ '/v': { length, cutAfterBytes: 100_000 } });
  const other = kept(await startOrigin({ '/v': { length } }));
  const supplier = kept(supplierFor({ upstreams: [dying.url, other.url] }));
  const iterator = (await ask(supplier, '/v')).body[Symbol.asyncIterator]();
  const chunks = [(await iterator.next()).value as Buffer];
  await dying.close();
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) chunks.push(next.value);
  const body = Buffer.concat(chunks);
  expect(body.length).toBe(length);
  assertPattern(body, resourceSeed('/v'), 0);
  expect(other.count()).toBe(1);
});

test.each([
  ['ETag', {}],
  ['Last-Modified', { etag: false } as const],
])('another %s in the middle ends the body: no byte of the other version', async (_, resource) => {
  const { supply, origin } = await readResumed({ ...resource, cutAfterBytes: 90_000, changeAfterRequests: 1 });
  let position = 0;
  const error = await errorOf(
    (async () => {
      for await (const chunk of supply.body) {
        assertPattern(chunk, resourceSeed('/v'), position);
        position += chunk.length;
      }
    })(),
  );
  expect(error).toMatchObject({ code: 'origin-changed', side: 'upstream', retryable: false });
  expect(position).toBe(90_000);
  expect(origin.count()).toBe(2);
});

test.each([
  ['without a validator', { etag: false, lastModified: false } as const],
  ['with a weak one', { etag: 'W/"v1"' }],
  ['with Last-Modified younger than a minute', { etag: false, lastModified: new Date().toUTCString() } as const],
  ['without a length', { chunked: true }],
])('a body %s is not resumed', async (_, resource) => {
  const { supply, origin } = await readResumed({ ...resource, cutAfterBytes: 90_000 });
  expect(await errorOf(readAll(supply))).toMatchObject({ code: 'origin-broken' });
  expect(origin.count()).toBe(1);
});

test('an origin that ignores Range cannot go on', async () => {
  const { supply, origin } = await readResumed({ ranges: false, cutAfterBytes: 90_000 });
  expect(await errorOf(readAll(supply))).toMatchObject({ code: 'origin-broken', retryable: false });
  expect(origin.count()).toBe(2);
});

test('a length that was a lie ends in an error, not in other bytes', async () => {
  const { supply } = await readResumed({ contentLengthLie: 50 });
  expect(await errorOf(readAll(supply))).toMatchObject({ code: 'origin-changed' });
});

test('two resumes in a row without a byte are enough', async () => {
  const { supply, origin } = await readResumed({ cutAfterBytes: 0 });
  expect(await errorOf(readAll(supply))).toMatchObject({ code: 'origin-broken' });
  expect(origin.count()).toBe(3);
});

test('eight resumes are enough, whatever they bring', async () => {
  const { supply, origin } = await readResumed({ cutAfterBytes: 1_000 });
  expect(await errorOf(readAll(supply))).toMatchObject({ code: 'origin-broken' });
  expect(origin.count()).toBe(9);
});

test('503 to a resume is tried again', async () => {
  const { supply, origin } = await readResumed({
    cutAfterBytes: 200_000,
    faultTimes: 1,
    refuseAfterRequests: 1,
    refuseTimes: 1,
  });
  const body = await readAll(supply);
  assertPattern(body, resourceSeed('/v'), 0);
  expect([body.length, origin.count()]).toEqual([length, 3]);
});

test('leaving a body that waits for its resume ends it', async () => {
  const { supply, supplier, origin } = await readResumed({ hangAfterBytes: 90_000 });
  const iterator = supply.body[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.return?.();
  await origin.idle();
  expect((await ask(supplier, '/missing')).status).toBe(404);
  expect(await iterator.next()).toEqual({ done: true, value: undefined });
});

test('an abort ends a body that waits for its resume', async () => {
  const origin = kept(await startOrigin({ '/v': { length, cutAfterBytes: 90_000 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const abort = new AbortController();
  const supply = await ask(supplier, '/v', { signal: abort.signal });
  let position = 0;
  const error = await errorOf(
    (async () => {
      for await (const chunk of supply.body) {
        position += chunk.length;
        if (position >= 90_000) abort.abort();
      }
    })(),
  );
  expect(error).toMatchObject({ code: 'aborted' });
});
