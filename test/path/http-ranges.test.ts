import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeContent, patternBytes, policyOf } from '../support/fake-cache.ts';
import { exchange, parseFields } from '../support/raw-http.ts';
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
  test = await openViewers({ policies: [policyOf()] });
  test.cache.store('/ram', new FakeContent(bytes), { fields: validators });
  test.cache.store('/disk', new FakeContent(bytes, { inRam: false }), { fields: validators, peeks: false });
  test.cache.store('/empty', new FakeContent(Buffer.alloc(0)), { fields: validators });
});
afterAll(() => test.viewers.close());

function get(path: string, fields = '', method = 'GET') {
  return exchange(test.url, `${method} ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`, method);
}

describe.each(['/ram', '/disk'])('a stored representation at %s', (path) => {
  it('is sent whole with its length (RFC 9110 8.6, 15.3.1)', async () => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.fields.get('content-length')).toBe(String(bytes.length));
    expect(response.fields.get('accept-ranges')).toBe('bytes');
    expect(response.fields.get('cache-status')).toBe(`eddy; hit; ttl=30; detail=${path.slice(1)}`);
    expect(response.body.equals(bytes)).toBe(true);
  });

  it('has the same fields and no content for HEAD, whatever the Range (RFC 9110 9.3.2, 14.2)', async () => {
    const response = await get(path, 'Range: bytes=0-1\r\n', 'HEAD');
    expect(response.status).toBe(200);
    expect(response.fields.get('content-length')).toBe(String(bytes.length));
  });

  it.each([
    ['bytes=0-0', 0, 0],
    ['bytes=100-1500000', 100, 1_500_000],
    ['bytes=2999990-', 2_999_990, 2_999_999],
    ['bytes=-7', 2_999_993, 2_999_999],
    ['bytes=5-9999999999999999999999', 5, 2_999_999],
    ['BYTES= 10-20 , 15-30 ', 10, 30],
    ['bytes=10-20,21-22', 10, 22],
    ['bytes=3-4,9999999-', 3, 4],
  ])('%s is 206 with exactly that (RFC 9110 14.1.2, 15.3.7)', async (range, first, last) => {
    const response = await get(path, `Range: ${range}\r\n`);
    expect(response.status).toBe(206);
    expect(response.fields.get('content-range')).toBe(`bytes ${first}-${last}/${bytes.length}`);
    expect(response.fields.get('content-length')).toBe(String(last - first + 1));
    expect(response.body.equals(bytes.subarray(first, last + 1))).toBe(true);
    for (const required of ['date', 'etag']) expect(response.fields.has(required)).toBe(true);
  });

  it('several ranges are multipart with exact length and parts in the order asked (RFC 9110 14.6)', async () => {
    const response = await get(path, 'Range: bytes=2000000-2500000, 0-9, 100-300000\r\n');
    expect(response.status).toBe(206);
    expect(response.whole).toBe(true);
    expect(response.fields.has('content-range')).toBe(false);
    const parts = parseMultipart(response.fields.get('content-type') ?? '', response.body);
    expect(parts.map(({ fields }) => fields.get('content-range'))).toEqual([
      'bytes 2000000-2500000/3000000',
      'bytes 0-9/3000000',
      'bytes 100-300000/3000000',
    ]);
    for (const { fields, body } of parts) {
      expect(fields.get('content-type')).toBe('video/mp4');
      const [, first, last] = /(\d+)-(\d+)/.exec(fields.get('content-range') ?? '') ?? [];
      expect(body.equals(bytes.subarray(Number(first), Number(last) + 1))).toBe(true);
    }
  });

  it.each(['bytes=3000000-', 'bytes=-0', 'bytes=4000000-5000000'])('%s is 416 (RFC 9110 15.5.17)', async (range) => {
    const response = await get(path, `Range: ${range}\r\n`);
    expect(response.status).toBe(416);
    expect(response.fields.get('content-range')).toBe('bytes */3000000');
    expect(response.body.length).toBe(0);
  });

  it.each(['bytes=2-1', 'bytes=a-b', 'items=0-1', 'bytes', 'bytes=1-2, bytes=3-4', 'bytes=', 'bytes=0-1;x'])(
    '%s is ignored (RFC 9110 14.2)',
    async (range) => {
      const response = await get(path, `Range: ${range}\r\n`);
      expect([response.status, response.body.length]).toEqual([200, bytes.length]);
    },
  );

  it('ignores more separate ranges than any player asks for (RFC 9110 17.15)', async () => {
    const many = Array.from({ length: 17 }, (_, i) => `${i * 10}-${i * 10 + 1}`).join(',');
    expect((await get(path, `Range: bytes=${many}\r\n`)).status).toBe(200);
  });

  it.each([
    ['If-None-Match: "v1"', 304],
    ['If-None-Match: "v0", W/"v1"', 304],
    ['If-None-Match: *', 304],
    ['If-None-Match: "v2"\r\nIf-Modified-Since: Mon, 02 Nov 2026 10:00:00 GMT', 200],
    ['If-Modified-Since: Mon, 02 Nov 2026 10:00:00 GMT', 304],
    ['If-Modified-Since: Mon, 02 Nov 2026 09:59:59 GMT', 200],
    ['If-Modified-Since: yesterday', 200],
    ['If-Match: "v1"', 200],
    ['If-Match: W/"v1"', 412],
    ['If-Match: "v2"', 412],
    ['If-Match: "v1"\r\nIf-Unmodified-Since: Mon, 02 Nov 2026 09:00:00 GMT', 200],
    ['If-Unmodified-Since: Mon, 02 Nov 2026 09:00:00 GMT', 412],
    ['If-Match: "v2"\r\nIf-None-Match: "v1"', 412],
    ['Range: bytes=0-1\r\nIf-Range: "v1"', 206],
    ['Range: bytes=0-1\r\nIf-Range: "v2"', 200],
    ['Range: bytes=0-1\r\nIf-Range: W/"v1"', 200],
    ['Range: bytes=0-1\r\nIf-Range: Mon, 02 Nov 2026 10:00:00 GMT', 206],
    ['Range: bytes=0-1\r\nIf-Range: Mon, 02 Nov 2026 10:00:01 GMT', 200],
    ['Range: bytes=0-1\r\nIf-None-Match: "v1"', 304],
    ['Range: bytes=9999999-\r\nIf-Range: "v2"', 200],
  ])('%j gives %i (RFC 9110 13.2.2)', async (fields, status) => {
    expect((await get(path, `${fields}\r\n`)).status).toBe(status);
  });
});

it('304 has what updates a stored response and nothing of the content (RFC 9110 15.4.5)', async () => {
  const response = await get('/ram', 'If-None-Match: "v1"\r\n');
  expect([...response.fields.keys()].toSorted()).toEqual(
    ['age', 'cache-status', 'connection', 'date', 'etag', 'keep-alive', 'via'].toSorted(),
  );
});

it('a suffix of an empty representation is the whole of it, a position in it 416 (RFC 9110 14.1.2)', async () => {
  expect((await get('/empty', 'Range: bytes=-5\r\n')).status).toBe(200);
  expect((await get('/empty', 'Range: bytes=0-\r\n')).status).toBe(416);
});

it('preconditions do not apply to a stored 404 (RFC 9110 13.2.1)', async () => {
  test.cache.store('/gone', new FakeContent(Buffer.from('nothing')), { status: 404, fields: validators });
  const response = await get('/gone', 'If-None-Match: "v1"\r\nRange: bytes=0-1\r\n');
  expect([response.status, response.body.toString()]).toEqual([404, 'nothing']);
});

describe('content of unknown length', () => {
  const store = (path: string, fields = validators) =>
    test.cache.store(path, new FakeContent(bytes, { lengthKnown: false }), { fields, peeks: false });

  it('is chunked, and has the right bytes', async () => {
    store('/growing');
    const response = await get('/growing');
    expect(response.fields.get('transfer-encoding')).toBe('chunked');
    expect(response.body.equals(bytes)).toBe(true);
  });

  it('is delimited by the end of the connection for HTTP/1.0 (RFC 9112 6.3)', async () => {
    store('/growing');
    const response = await exchange(test.url, 'GET /growing HTTP/1.0\r\n\r\n');
    expect(response.fields.has('transfer-encoding')).toBe(false);
    expect(response.fields.has('content-length')).toBe(false);
    expect(response.body.equals(bytes)).toBe(true);
  });

  it.each([
    ['bytes=10-99', 206, 'bytes 10-99/*', 90],
    ['bytes=10-1999999', 206, 'bytes 10-1999999/*', 1_999_990],
    ['bytes=2999000-9999999', 206, 'bytes 2999000-2999999/3000000', 1000],
    ['bytes=3000000-3000001', 416, 'bytes */3000000', 0],
    ['bytes=10-', 200, undefined, 3_000_000],
    ['bytes=-10', 200, undefined, 3_000_000],
    ['bytes=0-1,5-6', 200, undefined, 3_000_000],
  ])('%s gives %i %s (RFC 9110 14.4)', async (range, status, contentRange, length) => {
    store('/growing');
    const response = await get('/growing', `Range: ${range}\r\n`);
    expect(response.status).toBe(status);
    expect(response.fields.get('content-range')).toBe(contentRange);
    expect([response.whole, response.body.length]).toEqual([true, length]);
    const first = Number(/bytes=(\d*)/.exec(range)?.[1] ?? 0);
    if (status === 206) expect(response.body.equals(bytes.subarray(first, first + length))).toBe(true);
  });
});

function parseMultipart(contentType: string, body: Buffer) {
  const boundary = /^multipart\/byteranges; boundary=([0-9a-f]+)$/.exec(contentType)?.[1] ?? 'none';
  const text = body.toString('latin1');
  expect(text.startsWith(`--${boundary}\r\n`) && text.endsWith(`\r\n--${boundary}--\r\n`)).toBe(true);
  const inner = text.slice(boundary.length + 4, -(boundary.length + 8));
  return inner.split(`\r\n--${boundary}\r\n`).map((part) => {
    const headEnd = part.indexOf('\r\n\r\n');
    const fields = parseFields(part.slice(0, headEnd).split('\r\n'));
    return { fields, body: Buffer.from(part.slice(headEnd + 4), 'latin1') };
  });
}
