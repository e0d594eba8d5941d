import { expect, test } from 'vitest';
import { startEdge } from '../support/edge.ts';
import { ask, errorOf, kept, readAll, supplierFor } from '../support/origin-supplier.ts';
import { exchange } from '../support/raw-http.ts';
import { startRawOrigin } from '../support/raw-origin.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';

test.each([
  ['/', '/', '/a?b=c', '/a?b=c'],
  ['/', '/base/', '/a?b', '/base/a?b'],
  ['/', '/base', '/a/../b/./c%2F%zz//d?x=http://y/?#[', '/base/a/../b/./c%2F%zz//d?x=http://y/?#['],
  ['/', '/', '//evil.example/x', '//evil.example/x'],
  ['/', '/', '/http://evil.example/@evil.example:80', '/http://evil.example/@evil.example:80'],
  ['/', '/', '/\\evil.example\\x', '/\\evil.example\\x'],
  ['/', '/', '/../../x', '/../../x'],
  ['/', '/', '/caf\xe9?\xff', '/caf\xe9?\xff'],
  ['/live', '/in', '/live', '/in'],
  ['/live', '/', '/live?x', '/?x'],
  ['/live/', '/in/', '/live/a', '/in/a'],
])('prefix %s and base %s: %s asks for %s of the upstream', async (prefix, base, target, sent) => {
  const origin = kept(await startRawOrigin(ok));
  const supplier = kept(supplierFor({ prefix, upstreams: [origin.url + base] }));
  await readAll(await ask(supplier, target));
  const [line, host] = (origin.received[0] ?? '').split('\r\n');
  expect(line).toBe(`GET ${sent} HTTP/1.1`);
  expect(host?.toLowerCase()).toBe(`host: ${new URL(origin.url).host}`);
});

test.each([
  ['http://evil.example/x', 'bad-request'],
  ['evil.example:80', 'bad-request'],
  ['', 'bad-request'],
  ['*', 'bad-request'],
  ['/a b', 'bad-request'],
  ['/a\r\nHost: evil.example', 'bad-request'],
  ['/a\u0100', 'bad-request'],
  ['/other/a', 'target-not-mapped'],
  ['/lively', 'target-not-mapped'],
  ['/live/../../secret', 'target-not-mapped'],
  ['/live/%2e%2E/secret', 'target-not-mapped'],
  ['/live/a/..%2f..%5csecret', 'target-not-mapped'],
])('target %j never leaves this node', async (target, code) => {
  const origin = kept(await startRawOrigin(ok));
  const supplier = kept(supplierFor({ prefix: '/live', upstreams: [`${origin.url}/public/`] }));
  expect(await errorOf(ask(supplier, target))).toMatchObject({ code, side: 'downstream' });
  expect(origin.received).toEqual([]);
});

test('a percent sign that stands for nothing in a query comes to the origin as it is', async () => {
  const origin = kept(await startRawOrigin(ok));
  const edge = kept(await startEdge({ origins: [origin.url] }));
  const { status } = await exchange(
    edge.url,
    'GET /%41?title=100%&x=%%32F HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n',
  );
  expect([status, origin.received[0]?.split('\r\n')[0]]).toEqual([200, 'GET /%41?title=100%&x=%%32F HTTP/1.1']);
});

test('a viewer who climbs out of what is offered is told that nothing is there: it is no error of this side', async () => {
  const origin = kept(await startRawOrigin(ok));
  const edge = kept(await startEdge({ origins: [`${origin.url}/public`] }));
  const { status } = await exchange(edge.url, 'GET /%2e%2e/secret HTTP/1.1\r\nHost: edge\r\n\r\n');
  expect([status, origin.received]).toEqual([404, []]);
});
