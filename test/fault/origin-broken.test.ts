import { expect, test, vi } from 'vitest';
import { assertPattern, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';
import { startRawOrigin } from '../support/raw-origin.ts';

const ok = 'HTTP/1.1 200 OK\r\n';

test.each([
  ['obs-fold', `${ok}X-A: one\r\n two\r\nContent-Length: 2\r\n\r\nok`],
  ['NUL in a value', `${ok}X-A: a\0b\r\nContent-Length: 2\r\n\r\nok`],
  ['a bare CR', `${ok}X-A: a\rb\r\nContent-Length: 2\r\n\r\nok`],
  ['a space before the colon', `${ok}X-A : a\r\nContent-Length: 2\r\n\r\nok`],
  ['two lengths', `${ok}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok`],
  ['length and chunked', `${ok}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`],
  ['a coding we do not know', `${ok}Transfer-Encoding: gzip\r\n\r\nok`],
  ['a negative length', `${ok}Content-Length: -2\r\n\r\nok`],
  ['a status out of range', 'HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok'],
  ['an upgrade', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
  ['half an upgrade', `HTTP/1.1 101 Switching\r\n\r\n${ok}\r\n`],
  ['too many field bytes', `${ok}X: ${'a'.repeat(70_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['nothing', ''],
])('%s is a broken answer', async (_, text) => {
  const origin = kept(await startRawOrigin(text));
  const onAttempt = vi.fn();
  const supplier = kept(supplierFor({ upstreams: [origin.url], attemptsMax: 1 }, { onAttempt }));
  const error = await errorOf(ask(supplier, '/'));
  expect(error).toMatchObject({ code: 'origin-broken', side: 'upstream', retryable: true });
  expect(error.message).toContain(origin.url);
  expect(onAttempt.mock.calls).toEqual([['broken']]);
});

test.each([
  ['cut short of its length', `${ok}Content-Length: 9\r\n\r\nok`],
  ['broken inside a chunk', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n5\r\n`],
  ['broken between chunks', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n`],
  ['a chunk size that is none', `${ok}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n`],
])('a body %s gives what came and then fails', async (_, text) => {
  const origin = kept(await startRawOrigin(text));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const body = (await ask(supplier, '/')).body[Symbol.asyncIterator]();
  expect(String((await body.next()).value)).toBe('ok');
  expect(await errorOf(body.next())).toMatchObject({ code: 'origin-broken', side: 'upstream' });
  expect(origin.received.length).toBe(1);
});

test('a body that ends with its connection is whole after FIN and broken after RST', async () => {
  const whole = kept(await startRawOrigin(`${ok}\r\nok`));
  expect((await readAll(await ask(kept(supplierFor({ upstreams: [whole.url] })), '/'))).toString()).toBe('ok');
  let reset = () => {};
  const cut = kept(
    await startRawOrigin((socket) => {
      socket.write(`${ok}\r\nok`);
      reset = () => socket.resetAndDestroy();
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [cut.url] }));
  const body = (await ask(supplier, '/')).body[Symbol.asyncIterator]();
  expect(String((await body.next()).value)).toBe('ok');
  reset();
  expect(await errorOf(body.next())).toMatchObject({ code: 'origin-broken' });
});

test('bytes beyond the length are never given', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 100, contentLengthLie: -40, etag: false } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  for (let i = 0; i < 5; i++) {
    const body = await readAll(await ask(supplier, '/v'));
    expect(body.length).toBe(60);
    assertPattern(body, resourceSeed('/v'), 0);
  }
});

test('a body that stops is timed out and its connection closed; one that is merely slow is not', async () => {
  const origin = kept(
    await startOrigin({
      '/hang': { length: 1000, hangAfterBytes: 10, etag: false, lastModified: false },
      '/slow': { length: 1000, bytesPerSecond: 2000 },
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url], idleTimeoutMs: 200 }));
  const body = (await ask(supplier, '/hang')).body[Symbol.asyncIterator]();
  expect((await body.next()).value).toHaveLength(10);
  expect(await errorOf(body.next())).toMatchObject({ code: 'origin-timeout', side: 'upstream' });
  await origin.idle();
  expect((await readAll(await ask(supplier, '/slow'))).length).toBe(1000);
});

test('a reader that waits longer than the idle deadline loses nothing', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 4_000_000 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url], idleTimeoutMs: 50 }));
  const supply = await ask(supplier, '/v');
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect((await readAll(supply)).length).toBe(4_000_000);
  expect(origin.count()).toBe(1);
});

test('a request body that breaks off is the fault of the client', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 10, hangBeforeHeaders: true } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  async function* body() {
    yield Buffer.from('some');
    throw new Error('viewer went away');
  }
  const error = await errorOf(ask(supplier, '/v', { method: 'POST', body: body() }));
  expect(error).toMatchObject({ code: 'client-gone', side: 'downstream' });
  expect(supplier.health()).toMatchObject([{ failures: 0 }]);
});

test('a failed or left body gives its place in the budget back', async () => {
  const origin = kept(
    await startOrigin({
      '/cut': { length: 1000, cutAfterBytes: 10, etag: false, lastModified: false },
      '/resumed': { length: 1000, cutAfterBytes: 0 },
      '/v': { length: 1_000_000 },
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url], requestsMax: 1 }));
  for (let i = 0; i < 3; i++) {
    expect(await errorOf(ask(supplier, '/cut').then(readAll))).toMatchObject({ code: 'origin-broken' });
    expect(await errorOf(ask(supplier, '/resumed').then(readAll))).toMatchObject({ code: 'origin-broken' });
    for await (const _ of (await ask(supplier, '/v')).body) break;
    const abort = new AbortController();
    await ask(supplier, '/v', { signal: abort.signal });
    abort.abort();
    expect((await ask(supplier, '/missing')).status).toBe(404);
  }
});
