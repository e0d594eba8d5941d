import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EddyError } from '../../src/errors.ts';
import { Fields } from '../../src/fields.ts';
import { chunksOf, FakeContent, passed, patternBytes, policyOf } from '../support/fake-cache.ts';
import { exchange, RawConnection } from '../support/raw-http.ts';
import { openViewers, type TestViewers } from '../support/viewers.ts';

const bytes = patternBytes(3_000_000);
const validators = {
  'Content-Type': 'video/mp4',
  ETag: '"v1"',
  'Last-Modified': 'Mon, 02 Nov 2026 10:00:00 GMT',
  Date: 'Mon, 02 Nov 2026 12:00:00 GMT',
  Age: '5',
  Via: '1.1 eddy',
};
let test: TestViewers;

beforeAll(async () => {
  test = await openViewers({ policies: [policyOf(), policyOf({ name: 'open', prefix: '/cors', cors: true })] });
  test.cache.store('/ram', new FakeContent(bytes), { fields: validators });
  test.cache.store('/disk', new FakeContent(bytes, { inRam: false }), { fields: validators, peeks: false });
  test.cache.store('/cors/ram', new FakeContent(bytes), { fields: validators });
  test.cache.store('/empty', new FakeContent(Buffer.alloc(0)), { fields: validators });
});
afterAll(() => test.viewers.close());

function get(path: string, fields = '', method = 'GET') {
  return exchange(test.url, `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`, method);
}

describe('failures', () => {
  it('before the first byte are an error with its own status, never stored', async () => {
    test.cache.store('/fails', new FakeContent(bytes, { failsAt: 5 }), { peeks: false });
    const response = await get('/fails');
    expect(response.status).toBe(502);
    expect(response.fields.get('cache-control')).toBe('no-store');
    expect(response.fields.get('cache-status')).toBe('eddy; fwd=miss');
  });

  it.each([
    ['known', true],
    ['unknown', false],
  ])('in the middle of content of %s length cut the connection', async (_name, lengthKnown) => {
    test.cache.store('/breaks', new FakeContent(bytes, { failsAt: 1_000_000, lengthKnown }), { peeks: false });
    const response = await get('/breaks');
    expect([response.status, response.whole]).toEqual([200, false]);
    expect(response.body.equals(bytes.subarray(0, response.body.length))).toBe(true);
  });

  it.each([
    ['origin-refused', 502],
    ['origin-timeout', 504],
    ['origin-busy', 503],
    ['only-if-cached', 504],
    ['request-too-large', 413],
    ['disk-failed', 500],
    ['internal', 500],
  ] as const)('%s is %i', async (code, status) => {
    test.cache.on('/error', () => {
      throw new EddyError(code, 'secret host name', { side: 'upstream' });
    });
    const response = await get('/error');
    expect(response.status).toBe(status);
    expect(response.fields.has('retry-after')).toBe(status === 503);
    expect(response.body.toString()).not.toContain('secret');
  });

  it('of code are 500 and logged', async () => {
    test.cache.on('/bug', () => {
      throw new TypeError('a bug');
    });
    expect((await get('/bug')).status).toBe(500);
    expect(test.logged.some((line) => line.includes('a bug'))).toBe(true);
  });

  it('of HEAD have no content', async () => {
    test.cache.on('/error', () => {
      throw new EddyError('origin-refused', 'x', { side: 'upstream' });
    });
    const connection = await RawConnection.open(test.url);
    connection.send('HEAD /error HTTP/1.1\r\nHost: a\r\n\r\nGET /empty HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await connection.response('HEAD'))?.status).toBe(502);
    expect((await connection.response())?.status).toBe(200);
    connection.destroy();
  });

  it('of a field that cannot be sent are 500, not a crash', async () => {
    test.cache.store('/bad-field', new FakeContent(bytes), { fields: { 'X-Bad': 'a\nb' } });
    expect((await get('/bad-field')).status).toBe(500);
  });
});

describe('passed answers', () => {
  it('are streamed as they are, with Cache-Status after that of the caches behind (RFC 9211 2)', async () => {
    const fields = { 'Content-Length': '10', 'Cache-Status': 'far; hit', 'Content-Type': 'text/plain' };
    test.cache.on('/passed', () => passed(201, chunksOf('hello', 'world'), { fields }));
    const response = await get('/passed', '', 'POST');
    expect(response.status).toBe(201);
    expect(response.body.toString()).toBe('helloworld');
    expect(response.fields.get('cache-status')).toBe('far; hit, eddy; fwd=method');
  });

  it('keep their Content-Range', async () => {
    const fields = { 'Content-Range': 'bytes 0-4/10', 'Content-Length': '5' };
    test.cache.on('/passed', () => passed(206, chunksOf('hello'), { fields }));
    expect((await get('/passed')).fields.get('content-range')).toBe('bytes 0-4/10');
  });

  it.each([
    ['too little', ['hell']],
    ['too much', ['hello', 'world']],
  ])('that send %s are cut', async (_name, chunks) => {
    test.cache.on('/passed', () => passed(200, chunksOf(...chunks), { fields: { 'Content-Length': '5' } }));
    const connection = await RawConnection.open(test.url);
    connection.send('GET /passed HTTP/1.1\r\nHost: a\r\n\r\n');
    await connection.response();
    await connection.closed();
  });

  it.each([204, 304])('%i has no content', async (status) => {
    test.cache.on('/passed', () => passed(status, chunksOf('x'), { fields: { 'Content-Length': '1' } }));
    const connection = await RawConnection.open(test.url);
    const request = 'GET /passed HTTP/1.1\r\nHost: a\r\n\r\n';
    connection.send(request + request);
    expect((await connection.response())?.status).toBe(status);
    expect((await connection.response())?.status).toBe(status);
    connection.destroy();
  });

  it('have their head sent before their content comes', async () => {
    const gate = Promise.withResolvers<void>();
    async function* late() {
      await gate.promise;
      yield Buffer.from('late');
    }
    test.cache.on('/late', () => passed(200, late(), { fields: { 'X-Early': 'yes' } }));
    const connection = await RawConnection.open(test.url);
    const head = new Promise<string>((resolve) => connection.socket.once('data', (data) => resolve(data.toString())));
    connection.send('GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(await head).toContain('X-Early: yes');
    gate.resolve();
    expect((await connection.response())?.body.toString()).toBe('late');
    connection.destroy();
  });

  it('may be preceded by 103 (RFC 8297), but not for HTTP/1.0', async () => {
    test.cache.on('/hints', (request) => {
      request.onInformational?.(103, new Fields(['Link', '</a.css>; rel=preload']));
      return passed(200, chunksOf('ok'), { fields: { 'Content-Length': '2' } });
    });
    const connection = await RawConnection.open(test.url);
    connection.send('GET /hints HTTP/1.1\r\nHost: a\r\n\r\n');
    expect((await connection.response())?.fields.get('link')).toBe('</a.css>; rel=preload');
    expect((await connection.response())?.status).toBe(200);
    connection.destroy();
    expect((await exchange(test.url, 'GET /hints HTTP/1.0\r\n\r\n')).status).toBe(200);
  });
});

describe('CORS', () => {
  const ask = 'Origin: https://p.example\r\nAccess-Control-Request-Method: GET\r\n';

  it('answers a preflight at the edge and lets requested fields through', async () => {
    const before = test.cache.requests.length;
    const fields = `${ask}Access-Control-Request-Headers: range,cmcd-session\r\n`;
    const response = await get('/cors/ram', fields, 'OPTIONS');
    expect(response.status).toBe(204);
    expect(response.fields.get('access-control-allow-origin')).toBe('*');
    expect(response.fields.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
    expect(response.fields.get('access-control-allow-headers')).toBe('range, cmcd-session');
    expect(response.fields.has('access-control-max-age')).toBe(true);
    expect(test.cache.requests.length).toBe(before);
  });

  it('never echoes what is no field name', async () => {
    const response = await get('/cors/ram', `${ask}Access-Control-Request-Headers: a b, c\r\n`, 'OPTIONS');
    expect(response.fields.get('access-control-allow-headers')).toContain('Range');
  });

  it.each(['', 'If-None-Match: "v1"\r\n', 'Range: bytes=0-1\r\n', 'Range: bytes=9999999-\r\n'])(
    'exposes what a player reads, with %j',
    async (fields) => {
      const response = await get('/cors/ram', fields);
      expect(response.fields.get('access-control-allow-origin')).toBe('*');
      expect(response.fields.get('timing-allow-origin')).toBe('*');
      for (const name of ['Age', 'Date', 'Cache-Status', 'Content-Range', 'Content-Length', 'ETag']) {
        expect(response.fields.get('access-control-expose-headers')).toContain(name);
      }
    },
  );

  it("leaves the origin's own decision", async () => {
    const fields = { 'Access-Control-Allow-Origin': 'https://p.example', Vary: 'Origin' };
    test.cache.store('/cors/own', new FakeContent(bytes), { fields });
    expect((await get('/cors/own')).fields.get('access-control-allow-origin')).toBe('https://p.example');
  });

  it('is not there without the policy', async () => {
    expect((await get('/ram')).fields.has('access-control-allow-origin')).toBe(false);
    test.cache.on('/preflight', () => passed(200, chunksOf('from the origin')));
    expect((await get('/preflight', ask, 'OPTIONS')).body.toString()).toBe('from the origin');
  });
});
