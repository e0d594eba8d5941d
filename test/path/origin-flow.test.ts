import { expect, test } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { assertPattern, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';
import { startRawOrigin } from '../support/raw-origin.ts';
import { soon } from '../support/until.ts';

test.each([
  ['content-length: 300000', { 'Content-Length': '300000' }],
  ['transfer-encoding: chunked', {}],
])('a request body is streamed with %s', async (framing, fields) => {
  const origin = kept(
    await startOrigin(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      response.end(Buffer.concat(chunks));
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  async function* body() {
    for (let i = 0; i < 3; i++) yield Buffer.alloc(100_000, i);
  }
  const answer = await readAll(await ask(supplier, '/', { method: 'POST', fields: Fields.of(fields), body: body() }));
  expect(answer).toEqual(Buffer.concat([0, 1, 2].map((i) => Buffer.alloc(100_000, i))));
  const raw = origin.requests[0]?.rawHeaders ?? [];
  const lines = raw.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${raw[i + 1]}`] : []));
  expect(lines).toContain(framing);
});

test('a request body is read no faster than the origin takes it', async () => {
  const origin = kept(await startRawOrigin((socket) => socket.pause()));
  const supplier = kept(supplierFor({ upstreams: [origin.url], firstByteTimeoutMs: 5_000 }));
  let read = 0;
  let full: () => void = () => {};
  const stalled = new Promise<void>((resolve) => (full = resolve));
  let timer: NodeJS.Timeout | undefined;
  async function* body() {
    for (;;) {
      clearTimeout(timer);
      timer = setTimeout(full, 200);
      yield Buffer.alloc(64 * 1024);
      read += 64 * 1024;
      if (read > 200 * 1024 * 1024) throw new Error('no backpressure');
    }
  }
  const abort = new AbortController();
  const answer = errorOf(ask(supplier, '/', { method: 'POST', body: body(), signal: abort.signal }));
  await stalled;
  expect(read).toBeLessThan(50 * 1024 * 1024);
  abort.abort();
  expect(await answer).toMatchObject({ code: 'aborted' });
});

test('an answer that comes before the request body has ended is given', async () => {
  const head = 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno';
  const origin = kept(await startRawOrigin((socket) => socket.write(head)));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  let returned = false;
  async function* body() {
    try {
      yield Buffer.alloc(10);
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield Buffer.alloc(10);
    } finally {
      returned = true;
    }
  }
  const supply = await ask(supplier, '/', { method: 'POST', body: body() });
  expect([supply.status, (await readAll(supply)).toString()]).toEqual([413, 'no']);
  await soon(() => expect(returned).toBe(true));
});

test('connections are kept for the next request', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 100 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  for (let i = 0; i < 20; i++) await readAll(await ask(supplier, '/v'));
  expect(origin.count()).toBe(20);
  // undici frees a connection one turn after the end of the body, so the next request may take another one.
  expect(origin.connections).toBeLessThanOrEqual(2);
});

test('a reader that lags holds the origin back', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 64 * 1024 * 1024 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const supply = await ask(supplier, '/v');
  await steady(() => origin.sent());
  expect(origin.sent()).toBeLessThan(32 * 1024 * 1024);
  let position = 0;
  for await (const chunk of supply.body) {
    assertPattern(chunk, resourceSeed('/v'), position);
    position += chunk.length;
  }
  expect(position).toBe(64 * 1024 * 1024);
});

test('a body that is left closes its connection', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 64 * 1024 * 1024 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  for await (const chunk of (await ask(supplier, '/v')).body) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  await origin.idle();
  expect(origin.sent()).toBeLessThan(32 * 1024 * 1024);
});

test('an abort ends the wait for fields, the body and the connection', async () => {
  const origin = kept(
    await startOrigin({ '/hang': { length: 1, hangBeforeHeaders: true }, '/v': { length: 1e6, hangAfterBytes: 10 } }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const first = new AbortController();
  const waiting = errorOf(ask(supplier, '/hang', { signal: first.signal }));
  await soon(() => expect(origin.count('/hang')).toBe(1));
  first.abort();
  expect(await waiting).toMatchObject({ code: 'aborted', side: 'internal' });
  const second = new AbortController();
  const supply = await ask(supplier, '/v', { signal: second.signal });
  const body = supply.body[Symbol.asyncIterator]();
  expect((await body.next()).value).toHaveLength(10);
  const next = errorOf(body.next());
  second.abort();
  expect(await next).toMatchObject({ code: 'aborted' });
  await origin.idle();
  expect(await errorOf(ask(supplier, '/v', { signal: AbortSignal.abort() }))).toMatchObject({ code: 'aborted' });
  expect(origin.count('/v')).toBe(1);
});

test('close ends what is under way and refuses what comes', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 1e6, hangAfterBytes: 10 } }));
  const supplier = supplierFor({ upstreams: [origin.url] });
  const supply = await ask(supplier, '/v');
  const reading = errorOf(readAll(supply));
  await supplier.close();
  expect(await reading).toMatchObject({ code: 'draining' });
  expect(await errorOf(ask(supplier, '/v'))).toMatchObject({ code: 'draining' });
  await origin.idle();
});

test('requests over the budget wait their turn, and not for ever', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 1e6, hangAfterBytes: 10 }, '/w': { length: 1 } }));
  const limits = { requestsMax: 1, queueMax: 1, queueTimeoutMs: 100, idleTimeoutMs: 5_000 };
  const supplier = kept(supplierFor({ upstreams: [origin.url], ...limits }));
  const holding = await ask(supplier, '/v');
  const late = errorOf(ask(supplier, '/w'));
  expect(await errorOf(ask(supplier, '/w'))).toMatchObject({ code: 'origin-busy', side: 'upstream', retryable: true });
  expect(await late).toMatchObject({ code: 'origin-busy' });
  const next = ask(supplier, '/w');
  await holding.body[Symbol.asyncIterator]().return?.();
  expect((await readAll(await next)).length).toBe(1);
  // The place came back with the end of the body.
  expect((await readAll(await ask(supplier, '/w'))).length).toBe(1);
});

test('a body that is generated as it goes is given as it comes', async () => {
  let finish: () => void = () => {};
  const origin = kept(
    await startOrigin((_, response) => {
      response.write('first');
      finish = () => response.end('last');
    }),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const body = (await ask(supplier, '/')).body[Symbol.asyncIterator]();
  expect(String((await body.next()).value)).toBe('first');
  finish();
  expect(String((await body.next()).value)).toBe('last');
  expect((await body.next()).done).toBe(true);
});

/** Resolves once the value has not changed for a while. */
async function steady(value: () => number): Promise<void> {
  let before = -1;
  await soon(() => {
    const now = value();
    const same = now > 0 && now === before;
    before = now;
    expect(same).toBe(true);
  }, 100);
}
