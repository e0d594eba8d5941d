import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunksOf, FakeContent, passed, policyOf } from '../support/fake-cache.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const small = Buffer.from('small');
let test: TestViewers;

beforeAll(async () => {
  test = await openViewers({
    limits: { headTimeoutMs: 300, stallTimeoutMs: 600, keepAliveTimeoutMs: 10_000, bodyBytesMax: 100_000 },
  });
  test.cache.store('/small', new FakeContent(small), { fields: { ETag: '"s"' } });
  test.cache.on('/upload', async (request) => {
    for await (const _ of request.body ?? []);
    return passed(200, chunksOf('done'));
  });
  test.cache.on('/echo', (request) => passed(200, buffersOf(request.body)));
});
afterAll(() => test.viewers.close());

async function* buffersOf(body: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<Buffer> {
  for await (const chunk of body ?? []) yield Buffer.from(chunk);
}

describe('requests that are refused', () => {
  const long = 'x'.repeat(9000);
  it.each([
    ['no Host (RFC 9112 3.2)', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['two Host fields (3.2)', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
    ['an invalid Host (3.2)', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
    ['an empty Host (RFC 9110 4.2.1)', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
    ['userinfo in Host', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
    ['a fragment (3.2)', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a bad percent in the path', 'GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a non-ASCII target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a relative target', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['another scheme', 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['asterisk-form of GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['a space in the field name (5.1)', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
    ['obs-fold (5.2)', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n', 400],
    ['NUL in a field (RFC 9110 5.5)', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n', 400],
    ['a bare CR', 'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', 400],
    [
      'both lengths (6.1)',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
    ],
    ['two lengths (6.3)', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['a listed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n', 400],
    ['a signed length', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n', 400],
    ['a coding of HTTP/1.0 (6.1)', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
    ['a coding we lack (6.1)', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 501],
    ['chunked not last (6.3)', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n', 400],
    ['a long target (RFC 9110 15.5.15)', `GET /${long} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['a longer target', `GET /${long.repeat(4)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['a large header section (RFC 6585 5)', `GET / HTTP/1.1\r\nHost: a\r\nX: ${long.repeat(2)}\r\n\r\n`, 431],
    ['a larger header section', `GET / HTTP/1.1\r\nHost: a\r\nX: ${long.repeat(4)}\r\n\r\n`, 431],
    ['many fields', `GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(200)}\r\n`, 431],
    ['announced content beyond the bound', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n', 413],
    ['another expectation (RFC 9110 10.1.1)', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n', 417],
    ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501],
    ['HTTP/2.0 in a request line', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
    ['HTTP/3.7', 'GET / HTTP/3.7\r\nHost: a\r\n\r\n', 505],
    ['no HTTP at all', '\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n', 400],
  ])('%s', async (_name, request, status) => {
    const connection = await RawConnection.open(test.url);
    connection.send(request);
    expect((await connection.response())?.status).toBe(status);
    await connection.closed();
  });

  it('for another map than any are 404', async () => {
    test.viewers.replacePolicies([]);
    expect((await exchange(test.url, 'GET /small HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(404);
    test.viewers.replacePolicies([policyOf()]);
    expect((await exchange(test.url, 'GET /small HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
  });

  it('TRACE is not reflected (RFC 9110 9.3.8)', async () => {
    const response = await exchange(test.url, 'TRACE / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n');
    expect([response.status, response.fields.has('allow')]).toEqual([405, true]);
    expect(response.body.toString()).not.toContain('secret');
  });
});

describe('what the cache is given', () => {
  const ask = async (request: string) => {
    await exchange(test.url, request);
    return test.cache.requests.at(-1);
  };

  it('absolute-form: its path and authority, not Host (RFC 9112 3.2.2)', async () => {
    const request = await ask('GET http://B.example:81/small?q=1 HTTP/1.1\r\nHost: a\r\n\r\n');
    expect([request?.target, request?.authority]).toEqual(['/small?q=1', 'b.example:81']);
  });

  it('HTTP/1.0 without Host: the address it came to', async () => {
    const request = await ask('GET /small HTTP/1.0\r\n\r\n');
    expect(request?.authority).toBe(new URL(test.url).host);
  });

  it('no hop-by-hop fields, nor those that Connection names (RFC 9110 7.6.1)', async () => {
    const hops = 'Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nKeep-Alive: 5\r\n';
    const request = await ask(`GET /small HTTP/1.1\r\nHost: a\r\n${hops}Accept: */*\r\n\r\n`);
    expect(request?.fields.raw).toEqual(['Accept', '*/*']);
  });

  it('no content of GET, and the connection goes on behind it', async () => {
    const connection = await RawConnection.open(test.url);
    const request = 'GET /small HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello';
    connection.send(request + request);
    for (let i = 0; i < 2; i++) expect((await connection.response())?.status).toBe(200);
    const seen = test.cache.requests.at(-1);
    expect([seen?.body, seen?.fields.has('content-length')]).toEqual([undefined, false]);
    connection.destroy();
  });

  it('OPTIONS * and Max-Forwards: 0 never reach it, more forwards are counted down (RFC 9110 7.6.2)', async () => {
    const before = test.cache.requests.length;
    for (const request of ['OPTIONS * HTTP/1.1\r\nHost: a', 'OPTIONS /echo HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0']) {
      const response = await exchange(test.url, `${request}\r\n\r\n`);
      expect([response.status, response.fields.has('allow')]).toEqual([204, true]);
    }
    expect(test.cache.requests.length).toBe(before);
    const request = await ask('OPTIONS /echo HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n');
    expect(request?.fields.get('max-forwards')).toBe('2');
  });
});

describe('content of requests', () => {
  it.each([
    ['by length', 'Content-Length: 11\r\n\r\nhello world'],
    [
      'chunked, with extensions and trailers',
      'Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n',
    ],
  ])('%s arrives whole', async (_name, rest) => {
    const response = await exchange(test.url, `POST /echo HTTP/1.1\r\nHost: a\r\n${rest}`);
    expect(response.body.toString()).toBe('hello world');
  });

  it('100 is sent when the content is first read (RFC 9110 10.1.1)', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send('POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    expect((await connection.response())?.status).toBe(100);
    connection.send('ok');
    expect((await connection.response())?.body.toString()).toBe('done');
    connection.destroy();
  });

  it('100 is not sent when nobody reads it, and the connection closes', async () => {
    test.cache.on('/unread', () => passed(403, chunksOf('no')));
    const connection = await RawConnection.open(test.url);
    connection.send('POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n');
    const response = await connection.response();
    expect([response?.status, response?.fields.get('connection')]).toEqual([403, 'close']);
    await connection.closed();
  });

  it('chunked beyond the bound is 413', async () => {
    const chunk = `${(20_000).toString(16)}\r\n${'x'.repeat(20_000)}\r\n`;
    const connection = await RawConnection.open(test.url);
    connection.send(
      `POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}0\r\n\r\n`,
    );
    expect((await connection.response())?.status).toBe(413);
    await connection.closed();
  });

  it('a malformed chunk while the content is awaited is 400', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send('POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n');
    expect((await connection.response())?.status).toBe(400);
    await connection.closed();
  });

  it('that nobody reads does not end the connection while it is small', async () => {
    const connection = await RawConnection.open(test.url);
    connection.send(`POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n${'x'.repeat(30_000)}`);
    expect((await connection.response())?.status).toBe(403);
    connection.send('GET /small HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await connection.response())?.status).toBe(200);
    connection.destroy();
  });

  it('broken off by the viewer stops what runs for it', async () => {
    const failed = Promise.withResolvers<unknown>();
    test.cache.on('/broken', async (request) => {
      try {
        for await (const _ of request.body ?? []);
      } catch (error) {
        failed.resolve(error);
        throw error;
      }
      return passed(200, chunksOf('done'));
    });
    const connection = await RawConnection.open(test.url);
    connection.send('POST /broken HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf');
    connection.socket.end();
    expect(await failed.promise).toMatchObject({ code: 'client-gone' });
  });
});
