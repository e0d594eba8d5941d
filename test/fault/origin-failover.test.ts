import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { OriginHealth } from '../../src/origin/supplier.ts';
import { startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';
import { startRawOrigin } from '../support/raw-origin.ts';
import { soon } from '../support/until.ts';

const good = { '/v': { length: 10 } };

/** A URL nothing listens at. */
async function refusingUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

/** The origin names a time itself, so that the same upstream may be asked again. */
const again = { 'Retry-After': '0' };

test('an upstream that refuses connections is passed over, for any method', async () => {
  const origin = kept(await startOrigin(good));
  const onAttempt = vi.fn();
  const supplier = kept(supplierFor({ upstreams: [await refusingUrl(), origin.url] }, { onAttempt }));
  expect((await ask(supplier, '/v')).status).toBe(200);
  let started = 0;
  async function* body() {
    started++;
    yield Buffer.from('once');
  }
  expect((await ask(supplier, '/v', { method: 'POST', body: body() })).status).toBe(200);
  expect(started).toBe(1);
  expect(onAttempt.mock.calls.flat()).toEqual(['refused', 'answered', 'refused', 'answered']);
});

test('when nobody takes a connection, the error names the last upstream and nothing secret', async () => {
  const url = await refusingUrl();
  const supplier = kept(supplierFor({ upstreams: [url], fieldsAdded: { Authorization: 'secret' } }));
  const error = await errorOf(ask(supplier, '/v?token=secret'));
  expect(error).toMatchObject({ code: 'origin-refused', side: 'upstream', retryable: true });
  expect(error.message).toContain(url);
  expect(error.message).not.toContain('secret');
});

test('a name that does not resolve is refused', async () => {
  const supplier = kept(supplierFor({ upstreams: ['http://nowhere.invalid/'], attemptsMax: 1 }));
  expect(await errorOf(ask(supplier, '/v'))).toMatchObject({ code: 'origin-refused' });
});

test('503 with Retry-After is asked again and the last one is the answer', async () => {
  const origin = kept(
    await startOrigin({
      '/twice': { length: 10, refuseTimes: 2, refuseFields: again },
      '/once': { length: 10, refuseTimes: 1 },
      '/always': { length: 10, refuseTimes: 99, refuseFields: { ...again, 'X-Why': 'overload' } },
      '/teapot': { length: 10, refuseTimes: 99, refuseStatus: 500 },
    }),
  );
  const onAttempt = vi.fn();
  const supplier = kept(supplierFor({ upstreams: [origin.url] }, { onAttempt }));
  expect((await ask(supplier, '/twice')).status).toBe(200);
  expect(onAttempt.mock.calls.flat()).toEqual(['unavailable', 'unavailable', 'answered']);
  const last = await ask(supplier, '/always');
  expect([last.status, last.fields.get('x-why'), origin.count('/always')]).toEqual([503, 'overload', 3]);
  expect([(await ask(supplier, '/once')).status, origin.count('/once')]).toEqual([503, 1]);
  expect((await ask(supplier, '/teapot')).status).toBe(500);
  expect(origin.count('/teapot')).toBe(1);
});

test('503 to a request that may have had an effect is the answer', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 10, refuseTimes: 9 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  expect((await ask(supplier, '/v', { method: 'POST' })).status).toBe(503);
  async function* body() {
    yield Buffer.from('x');
  }
  expect((await ask(supplier, '/v', { method: 'PUT', body: body() })).status).toBe(503);
  expect(origin.count()).toBe(2);
});

test('another upstream is asked at once, the same one after a jittered, growing wait', async () => {
  const refusing = { '/v': { length: 10, refuseTimes: 99, refuseFields: again } };
  const [one, two] = [kept(await startOrigin(refusing)), kept(await startOrigin(refusing))];
  const waits: number[] = [];
  const clock = {
    nowMs: () => Date.now(),
    sleep: async (ms: number) => {
      waits.push(ms);
    },
  };
  const supplier = kept(supplierFor({ upstreams: [one.url, two.url], attemptsMax: 5 }, { clock, random: () => 0 }));
  expect((await ask(supplier, '/v')).status).toBe(503);
  // With three failures in a row the first upstream is down, so that the fifth attempt goes to the second.
  expect([one.count(), two.count()]).toEqual([3, 2]);
  expect(waits).toEqual([50, 50, 100]);
});

test('Retry-After is waited for up to a bound, beyond it the answer is given', async () => {
  const origin = kept(
    await startOrigin({
      '/soon': { length: 10, refuseTimes: 1, refuseFields: { 'Retry-After': '2' } },
      '/late': { length: 10, refuseTimes: 1, refuseFields: { 'Retry-After': '120' } },
    }),
  );
  const sleep = vi.fn(async () => {});
  const supplier = kept(supplierFor({ upstreams: [origin.url] }, { clock: { nowMs: () => Date.now(), sleep } }));
  expect((await ask(supplier, '/soon')).status).toBe(200);
  expect(sleep.mock.calls).toEqual([[2000, expect.any(AbortSignal)]]);
  expect((await ask(supplier, '/late')).status).toBe(503);
  expect(origin.count('/late')).toBe(1);
});

test('an abort ends the wait between attempts', async () => {
  const origin = kept(
    await startOrigin({ '/v': { length: 10, refuseTimes: 9, refuseFields: { 'Retry-After': '3' } } }),
  );
  // A wait that only its signal ends.
  const sleep = vi.fn(async (_ms: number, signal: AbortSignal) => {
    await once(signal, 'abort');
    throw signal.reason;
  });
  const clock = { nowMs: () => Date.now(), sleep };
  const supplier = kept(supplierFor({ upstreams: [origin.url], requestsMax: 1 }, { clock }));
  const abort = new AbortController();
  const answer = errorOf(ask(supplier, '/v', { signal: abort.signal }));
  await soon(() => expect(sleep).toHaveBeenCalled());
  abort.abort();
  expect(await answer).toMatchObject({ code: 'aborted' });
});

test('a reset before the response is repeated for GET, not for POST', async () => {
  let requests = 0;
  const origin = kept(
    await startRawOrigin((socket) => {
      requests++;
      if (requests % 2 === 1) socket.resetAndDestroy();
      else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  expect((await readAll(await ask(supplier, '/'))).toString()).toBe('ok');
  const error = await errorOf(ask(supplier, '/', { method: 'POST' }));
  expect(error).toMatchObject({ code: 'origin-broken', side: 'upstream' });
  expect(requests).toBe(3);
});

test('an upstream that hangs before its response is left for the next, and not asked twice', async () => {
  const hanging = kept(await startOrigin({ '/v': { length: 10, hangBeforeHeaders: true } }));
  const origin = kept(await startOrigin(good));
  const alone = kept(supplierFor({ upstreams: [hanging.url] }));
  const error = await errorOf(ask(alone, '/v'));
  expect(error).toMatchObject({ code: 'origin-timeout', side: 'upstream', retryable: true });
  expect(error.message).toContain(hanging.url);
  expect(hanging.count()).toBe(1);
  const both = kept(supplierFor({ upstreams: [hanging.url, origin.url] }));
  expect((await ask(both, '/v')).status).toBe(200);
  await hanging.idle();
});

test('an upstream is down after three failures, tried once after its time, and up again when that goes well', async () => {
  const refusing = kept(await startOrigin({ '/v': { length: 10, refuseTimes: 4 } }));
  const origin = kept(await startOrigin(good));
  let now = 0;
  const changes: OriginHealth[] = [];
  const supplier = kept(
    supplierFor(
      { upstreams: [refusing.url, origin.url] },
      { clock: { nowMs: () => now, sleep: async () => {} }, onHealth: (health) => changes.push(health) },
    ),
  );
  const askTimes = async (times: number) => {
    for (let i = 0; i < times; i++) expect((await ask(supplier, '/v')).status).toBe(200);
    return refusing.count();
  };
  expect(await askTimes(5)).toBe(3);
  expect(supplier.health()).toMatchObject([
    { map: 'm', url: `${refusing.url}/`, state: 'down', failures: 3, lastError: expect.stringContaining('503') },
    { url: `${origin.url}/`, state: 'up', failures: 0, lastError: undefined },
  ]);
  now = 1_000;
  expect(await askTimes(3)).toBe(4);
  now = 2_999;
  expect(await askTimes(1)).toBe(4);
  now = 3_000;
  expect(await askTimes(2)).toBe(6);
  expect(changes.map(({ state }) => state)).toEqual(['down', 'up']);
});

test('when all are down, each is tried once all the same', async () => {
  const refusing = { '/v': { length: 10, refuseTimes: 99, refuseFields: again } };
  const [one, two] = [kept(await startOrigin(refusing)), kept(await startOrigin(refusing))];
  const clock = { nowMs: () => 0, sleep: async () => {} };
  const supplier = kept(supplierFor({ upstreams: [one.url, two.url], attemptsMax: 6 }, { clock }));
  await ask(supplier, '/v');
  expect(supplier.health().map(({ state }) => state)).toEqual(['down', 'down']);
  const before = [one.count(), two.count()];
  expect((await ask(supplier, '/v')).status).toBe(503);
  expect([one.count(), two.count()]).toEqual(before.map((count) => count + 1));
});
