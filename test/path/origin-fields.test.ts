import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { assertPattern, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';
import { startRawOrigin } from '../support/raw-origin.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

test('passes body, status and fields on as they came, and counts', async () => {
  const origin = kept(await startOrigin({ '/v': { length: 3_000_000, fields: { 'Cache-Control': 'max-age=1' } } }));
  const onAttempt = vi.fn();
  let bytes = 0;
  const supplier = kept(supplierFor({ upstreams: [origin.url] }, { onAttempt, onBytes: (more) => (bytes += more) }));
  const before = Date.now();
  const supply = await ask(supplier, '/v');
  expect(supply).toMatchObject({ source: 'origin', status: 200 });
  expect(supply.fields.get('cache-control')).toBe('max-age=1');
  expect(supply.requestTimeMs).toBeGreaterThanOrEqual(before);
  expect(supply.responseTimeMs).toBeGreaterThanOrEqual(supply.requestTimeMs);
  const body = await readAll(supply);
  expect(body.length).toBe(3_000_000);
  assertPattern(body, resourceSeed('/v'), 0);
  expect(bytes).toBe(3_000_000);
  expect(onAttempt.mock.calls).toEqual([['answered']]);
});

test('another map is none of its business', async () => {
  const supplier = kept(supplierFor({ upstreams: ['http://127.0.0.1:1'] }));
  const request = { method: 'GET', target: '/', fields: Fields.empty, map: 'other' };
  expect(await supplier.supply(request, { signal: AbortSignal.timeout(1000) })).toBeUndefined();
});

test('request fields: one hop only are dropped, configured ones replace, order, case and bytes are kept', async () => {
  const origin = kept(await startRawOrigin(ok));
  const supplier = kept(
    supplierFor({ upstreams: [origin.url], hostField: 'video.example', fieldsAdded: { Authorization: 'secret' } }),
  );
  const fields = new Fields(
    [
      ['X-B', '1'],
      ['Connection', 'keep-alive, X-Hop'],
      ['x-a', 'caf\xe9'],
      ['X-Hop', 'gone'],
      ['Host', 'viewer.example'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'keep-alive'],
      ['TE', 'trailers'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'websocket'],
      ['Trailer', 'X'],
      ['Proxy-Authorization', 'Basic x'],
      ['Expect', '100-continue'],
      ['Content-Length', '5'],
      ['authorization', 'viewer'],
      ['Accept-Encoding', 'br;q=0.5'],
      ['X-B', '2'],
    ].flat(),
  );
  await readAll(await ask(supplier, '/', { fields }));
  const lines = (origin.received[0] ?? '').split('\r\n').slice(1, -2);
  expect(lines).toEqual([
    'host: video.example',
    'connection: keep-alive',
    'X-B: 1',
    'x-a: caf\xe9',
    'Accept-Encoding: br;q=0.5',
    'X-B: 2',
    'Authorization: secret',
  ]);
});

test.each([
  ['X A', '1'],
  ['X-A', 'a\r\nX-B: b'],
  ['X-A', '\u0100'],
])('a field that HTTP does not allow (%j: %j) is not sent', async (name, value) => {
  const origin = kept(await startRawOrigin(ok));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const error = await errorOf(ask(supplier, '/', { fields: new Fields([name, value]) }));
  expect(error).toMatchObject({ code: 'bad-request', side: 'downstream' });
  expect(origin.received).toEqual([]);
});

test('TRACE does not show the credentials to the viewer, CONNECT is refused', async () => {
  const origin = kept(await startRawOrigin(ok));
  const supplier = kept(supplierFor({ upstreams: [origin.url], fieldsAdded: { 'X-Key': 'secret' } }));
  await readAll(await ask(supplier, '/', { method: 'TRACE' }));
  expect(origin.received[0]).not.toContain('secret');
  expect(await errorOf(ask(supplier, '/', { method: 'CONNECT' }))).toMatchObject({ code: 'bad-request' });
});

test('response fields: one hop only are dropped, order, case, duplicates and bytes are kept', async () => {
  const head = [
    'Set-Cookie: a=1',
    'x-LATIN: caf\xe9 \t',
    'Connection: X-Hop, close',
    'X-Hop: gone',
    'Keep-Alive: timeout=5',
    'Proxy-Authenticate: Basic',
    'Upgrade: h2c',
    'Trailer: X-T',
    'Transfer-Encoding: chunked',
    'set-cookie: b=2',
  ];
  const text = `HTTP/1.1 200 Fine\r\n${head.join('\r\n')}\r\n\r\n2\r\nok\r\n0\r\nX-T: late\r\n\r\n`;
  const origin = kept(await startRawOrigin(text));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const supply = await ask(supplier, '/');
  expect(supply.fields.raw).toEqual(['Set-Cookie', 'a=1', 'x-LATIN', 'caf\xe9', 'set-cookie', 'b=2']);
  expect((await readAll(supply)).toString()).toBe('ok');
});

test('informational responses are handed on as they come', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\n\r\n';
  const origin = kept(await startRawOrigin(hints + hints + ok));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const onInformational = vi.fn();
  const supply = await ask(supplier, '/', { onInformational });
  expect(supply.status).toBe(200);
  expect(onInformational.mock.calls.map(([status, fields]) => [status, fields.raw])).toEqual([
    [103, ['Link', '</a.css>']],
    [103, ['Link', '</a.css>']],
  ]);
  await readAll(supply);
});

test('content codings are not touched', async () => {
  const coded = gzipSync('hello');
  const origin = kept(
    await startOrigin((_, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(coded)),
  );
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const supply = await ask(supplier, '/', { fields: Fields.of({ 'Accept-Encoding': 'gzip' }) });
  expect(await readAll(supply)).toEqual(coded);
  expect(supply.fields.get('Content-Encoding')).toBe('gzip');
});

test.each(['HEAD', 'OPTIONS', 'DELETE', 'PURGE', 'PROPFIND'])('%s goes through', async (method) => {
  const origin = kept(await startOrigin({ '/v': { length: 10 } }));
  const supplier = kept(supplierFor({ upstreams: [origin.url] }));
  const supply = await ask(supplier, '/v', { method });
  expect(origin.requests[0]).toMatchObject({ method });
  expect((await readAll(supply)).length).toBe(method === 'HEAD' ? 0 : 10);
  expect(supply.fields.get('content-length')).toBe('10');
});
