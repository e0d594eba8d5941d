import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunksOf, FakeContent, passed, patternBytes } from '../support/fake-cache.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const small = Buffer.from('small');
let test: TestViewers;
/** One with little time for its viewers. */
let hasty: TestViewers;

beforeAll(async () => {
  hasty = await openViewers({ limits: { headTimeoutMs: 300, stallTimeoutMs: 600 } });
  test = await openViewers({ limits: { bodyBytesMax: 100_000 } });
  test.cache.store('/small', new FakeContent(small), { fields: { ETag: '"s"' } });
  test.cache.on('/upload', async (request) => {
    for await (const _ of request.body ?? []);
    return passed(200, chunksOf('done'));
  });
  test.cache.on('/echo', (request) => passed(200, buffersOf(request.body)));
});
afterAll(() => Promise.all([test, hasty].map(({ viewers }) => viewers.close())));

async function* buffersOf(body: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of body ?? []) yield Buffer.from(chunk);
}

describe('a connection', () => {
  const request = 'GET /small HTTP/1.1\r\nHost: a\r\n\r\n';

  it('answers pipelined requests in order (RFC 9112 9.3.2)', async () => {
    const gate = Promise.withResolvers<void>();
    test.cache.on('/slow', async () => {
      await gate.promise;
      return passed(200, chunksOf('slow'));
    });
    const connection = await RawConnection.open(test.url);
    connection.send(
      `GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${request}POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`,
    );
    gate.resolve();
    for (const expected of ['slow', 'small', 'hi']) {
      expect((await connection.response())?.body.toString()).toBe(expected);
    }
    connection.destroy();
  });

  it('with more waiting requests than the bound answers those and closes', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send(request.repeat(1000));
    let answered = 0;
    for (;;) {
      const response = await connection.response();
      if (response === undefined) break;
      answered++;
      if (response.fields.get('connection') === 'close') break;
    }
    expect(answered).toBeGreaterThanOrEqual(256);
    await connection.closed();
  });

  it('answers good requests before a malformed one, which ends it', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send(`${request}${request}GET / HTTP/1.1\r\nHost : a\r\n\r\n${request}`);
    for (const status of [200, 200, 400]) expect((await connection.response())?.status).toBe(status);
    expect(await connection.response()).toBeUndefined();
  });

  it('stays open unless told to close (RFC 9112 9.3)', async () => {
    const connection = await RawConnection.open(test.url);
    for (let i = 0; i < 3; i++) {
      connection.send(request);
      expect((await connection.response())?.body.toString()).toBe('small');
    }
    connection.send('GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    expect((await connection.response())?.fields.get('connection')).toBe('close');
    await connection.closed();
  });

  it('of HTTP/1.0 closes unless asked to stay', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send('GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect((await connection.response())?.fields.get('connection')).toBe('keep-alive');
    connection.send('GET /small HTTP/1.0\r\n\r\n');
    expect((await connection.response())?.body.toString()).toBe('small');
    await connection.closed();
  });

  it('accepts an empty line before a request and bytes that trickle (RFC 9112 2.2)', async () => {
    const connection = await RawConnection.open(test.url);
    connection.socket.setNoDelay(true);
    for (const byte of `\r\n${request}`) {
      connection.send(byte);
      await new Promise(setImmediate);
    }
    expect((await connection.response())?.status).toBe(200);
    connection.destroy();
  });

  it('that never finishes its header section is told so and closed (RFC 9110 15.5.9)', async () => {
    const connection = await RawConnection.open(hasty.url);
    connection.send('GET / HTTP/1.1\r\nHost: a\r\n');
    expect((await connection.response())?.status).toBe(408);
    await connection.closed();
  });

  it('that sends nothing is closed', async () => {
    const connection = await RawConnection.open(hasty.url);
    expect(await connection.response()).toBeUndefined();
  });

  it('whose viewer reads nothing ends, and lets go of the content', async () => {
    const content = new FakeContent(patternBytes(64 * 1024 * 1024), { inRam: false, step: 1024 * 1024 });
    hasty.cache.store('/large', content, { peeks: false });
    const connection = await RawConnection.open(hasty.url);
    connection.socket.pause();
    connection.send('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
    const record = await hasty.nextRecord();
    expect([record.status, record.complete]).toEqual([200, false]);
    expect(content.given).toBeLessThan(32 * 1024 * 1024);
    await expect.poll(() => content.reading).toBe(0);
    connection.destroy();
  });

  it('whose origin is slow is not taken for a stalled one', async () => {
    const gate = Promise.withResolvers<void>();
    const content = new FakeContent(patternBytes(100_000), {
      inRam: false,
      waitAt: { offset: 50_000, until: gate.promise },
    });
    hasty.cache.store('/waits', content, { peeks: false });
    const connection = await RawConnection.open(hasty.url);
    connection.send('GET /waits HTTP/1.1\r\nHost: a\r\n\r\n');
    setTimeout(() => gate.resolve(), 1300);
    expect((await connection.response())?.body.length).toBe(100_000);
    connection.destroy();
  });

  it('that goes away aborts the signal of its request', async () => {
    const aborted = Promise.withResolvers<unknown>();
    test.cache.on('/abort', (request) => {
      request.signal.addEventListener('abort', () => aborted.resolve(request.signal.reason));
      return new Promise(() => {});
    });
    const connection = await RawConnection.open(test.url);
    connection.send('GET /abort HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect.poll(() => test.cache.requests.at(-1)?.target).toBe('/abort');
    connection.destroy();
    expect(await aborted.promise).toMatchObject({ code: 'client-gone' });
  });
});

describe('the access record', () => {
  it('has what happened, once, without secrets', async () => {
    const next = test.nextRecord();
    const target = '/small?token=abc&x=1&Signature=def';
    await exchange(test.url, `GET ${target} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nUser-Agent: p\r\n\r\n`);
    expect(await next).toMatchObject({
      method: 'GET',
      target: '/small?token=redacted&x=1&Signature=redacted',
      status: 206,
      bytes: 2,
      complete: true,
      hit: true,
      detail: 'ram',
      protocol: 'HTTP/1.1',
      range: 'bytes=0-1',
      userAgent: 'p',
      remote: '127.0.0.1',
    });
  });

  it('is there for refused input too', async () => {
    const next = test.nextRecord();
    await exchange(test.url, 'nonsense\r\n\r\n');
    expect(await next).toMatchObject({ status: 400, method: '-' });
  });
});
