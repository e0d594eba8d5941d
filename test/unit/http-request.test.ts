import { describe, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { redactTarget } from '../../src/http/exchange/access.ts';
import { cacheStatusMember } from '../../src/http/reply/cache-status.ts';
import { layOutParts } from '../../src/http/reply/multipart.ts';
import { longestFirst, policyFor } from '../../src/http/request/policies.ts';
import { readRequest } from '../../src/http/request/request.ts';
import { isAuthority, parseTarget } from '../../src/http/request/target.ts';
import { policyOf } from '../support/fake-cache.ts';

describe('request target (RFC 9112 3.2)', () => {
  it.each([
    ['3.2.1', 'GET', '/', { form: 'origin', target: '/' }],
    ['3.2.1, untouched', 'GET', '/a/../b//c?x=[1]&y={z}|%20', { form: 'origin', target: '/a/../b//c?x=[1]&y={z}|%20' }],
    ['3.2.1, a percent sign in the query', 'GET', '/%20?x=100%&%zz', { form: 'origin', target: '/%20?x=100%&%zz' }],
    ['3.2.1, two slashes are a path', 'GET', '//evil/x', { form: 'origin', target: '//evil/x' }],
    ['3.2.2', 'GET', 'http://A:80/b?c', { form: 'absolute', target: '/b?c', authority: 'A:80' }],
    ['3.2.2, empty path', 'GET', 'HTTPS://a', { form: 'absolute', target: '/', authority: 'a' }],
    ['3.2.2, query without path', 'GET', 'http://a?b', { form: 'absolute', target: '/?b', authority: 'a' }],
    ['3.2.4', 'OPTIONS', '*', { form: 'asterisk' }],
    ['3.2.4, from absolute-form', 'OPTIONS', 'http://a', { form: 'asterisk' }],
  ] as const)('%s: %s %s', (_section, method, target, expected) => {
    expect(parseTarget(target, method)).toEqual(expected);
  });

  it.each([
    ...[
      '',
      'a',
      '*',
      'a:443',
      'http:///a',
      'http://u@a/',
      'http://a:99999/',
      'ftp://a/',
      '/a b',
      '/a\t',
      '/\x7f',
      '/\x80',
    ],
    ...[
      '/%',
      '/%4',
      '/%4g',
      '/%zz?x',
      '/%20%?%',
      'http://a/%?',
      '/a#b',
      '/a\\b',
      '/a<b',
      '/"',
      'http://a b/',
      'http://[::1/',
    ],
  ])('%j is invalid', (target) => {
    expect(parseTarget(target, 'GET').form).toBe('invalid');
  });
});

describe('authority (RFC 9110 4.2, RFC 9112 3.2)', () => {
  it.each(['a', 'a.example', 'a_b:80', '1.2.3.4:8080', '[::1]', '[2001:db8::1]:443', 'a:', '%61', 'xn--a.b'])(
    '%s',
    (text) => {
      expect(isAuthority(text)).toBe(true);
    },
  );
  it.each([
    '',
    ':80',
    'a:b',
    'a:65536',
    'a,b',
    'a b',
    'u@a',
    'a/b',
    'a?b',
    '::1',
    '[::1',
    '[x]',
    'a\0',
    'a%zz',
    'a:1:2',
  ])('%j is none', (text) => {
    expect(isAuthority(text)).toBe(false);
  });
});

const limits = { headBytesMax: 1000, targetBytesMax: 100, fieldsMax: 10, bodyBytesMax: 1000 };
const body = (async function* () {})();
const head = {
  method: 'GET',
  target: '/a',
  version: '1.1',
  fields: new Fields(['Host', 'a']),
  scheme: 'http',
  localAuthority: '127.0.0.1:80',
  remote: '127.0.0.1',
} as const;

function statusOf(changes: object): number | 'request' {
  const read = readRequest({ ...head, ...changes }, limits);
  return 'kind' in read ? 'request' : read.status;
}

describe('framing and routing fields', () => {
  const lines = (...raw: string[]) => ({ fields: new Fields(['Host', 'a', ...raw]) });
  it.each<[string, object, number | 'request']>([
    ['plain', {}, 'request'],
    ['RFC 9112 3.2: no Host', { fields: Fields.empty }, 400],
    ['RFC 9112 3.2: no Host, absolute-form', { fields: Fields.empty, target: 'http://a/' }, 400],
    ['RFC 9112 3.2: HTTP/1.0 without Host', { fields: Fields.empty, version: '1.0' }, 'request'],
    ['RFC 9112 3.2: two of them', lines('host', 'a'), 400],
    ['RFC 9112 6.1: both', lines('Content-Length', '1', 'Transfer-Encoding', 'chunked'), 400],
    ['RFC 9112 6.1: another coding', lines('Transfer-Encoding', 'gzip'), 501],
    ['RFC 9112 6.1: twice chunked', lines('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'), 501],
    ['RFC 9112 6.1: chunked, chunked', lines('Transfer-Encoding', 'chunked, chunked'), 501],
    ['RFC 9112 6.1: with a parameter', lines('Transfer-Encoding', 'chunked;a=b'), 501],
    ['RFC 9112 6.1: in HTTP/1.0', { ...lines('Transfer-Encoding', 'chunked'), version: '1.0' }, 400],
    ['RFC 9113 8.2.2: in HTTP/2', { ...lines('Transfer-Encoding', 'chunked'), version: '2' }, 400],
    ['RFC 9112 7: case does not matter', lines('Transfer-Encoding', 'Chunked'), 'request'],
    ['RFC 9110 8.6: twice', lines('Content-Length', '1', 'Content-Length', '1'), 400],
    ['RFC 9110 8.6: negative', lines('Content-Length', '-1'), 400],
    ['RFC 9110 8.6: hex', lines('Content-Length', '0x1'), 400],
    ['RFC 9110 8.6: empty', lines('Content-Length', ''), 400],
    ['RFC 9110 15.5.14', lines('Content-Length', '1001'), 413],
    ['RFC 9110 15.5.15', { target: `/${'a'.repeat(100)}` }, 414],
    ['RFC 6585 5: bytes', lines('X', 'x'.repeat(1000)), 431],
    ['RFC 6585 5: lines', lines(...Array.from({ length: 20 }, () => 'x')), 431],
    ['RFC 9110 10.1.1', lines('Expect', '100-Continue'), 'request'],
    ['RFC 9110 10.1.1: unknown', lines('Expect', '100-continue, x'), 417],
    ['RFC 9110 10.1.1: HTTP/1.0', { ...lines('Expect', 'x'), version: '1.0' }, 'request'],
    ['RFC 9110 9.3.6', { method: 'CONNECT', target: 'a:1' }, 501],
    ['RFC 9113 8.3.1: authority', { version: '2', authority: 'b', fields: Fields.empty }, 'request'],
    ['RFC 9113 8.3.1: differs from Host', { version: '2', authority: 'b' }, 400],
    ['RFC 9113 8.3.1: same as Host', { version: '2', authority: 'A' }, 'request'],
    ['RFC 9113 8.3.1: invalid', { version: '2', authority: 'u@a', fields: Fields.empty }, 400],
  ])('%s', (_name, changes, expected) => {
    expect(statusOf(changes)).toBe(expected);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'])('%s keeps its content and length', (method) => {
    const read = readRequest({ ...head, ...lines('Content-Length', '5'), method, body }, limits);
    expect(read).toMatchObject({ body, fields: new Fields(['Content-Length', '5']) });
  });

  it.each(['GET', 'HEAD'])('%s has none for the cache (RFC 9110 9.3.1)', (method) => {
    const read = readRequest({ ...head, ...lines('Content-Length', '5'), method, body }, limits);
    expect(read).toMatchObject({ body: undefined, fields: Fields.empty });
  });

  it('Connection takes along what it names, but not the framing (RFC 9110 7.6.1)', () => {
    const fields = lines('Connection', 'X-A, content-length', 'x-a', '1', 'X-B', '2', 'Content-Length', '5');
    const read = readRequest({ ...head, ...fields, method: 'POST', body }, limits);
    expect('kind' in read && read.fields.raw).toEqual(['Connection', 'X-B', '2', 'Content-Length', '5'].slice(1));
  });
});

it.each([
  [{ hit: true, ttlSeconds: 30.7, detail: 'ram' }, 'eddy; hit; ttl=30; detail=ram'],
  [{ hit: true, ttlSeconds: -412 }, 'eddy; hit; ttl=-412'],
  [
    { hit: false, fwd: 'miss', fwdStatus: 200, stored: true, collapsed: true, detail: 'origin' },
    'eddy; fwd=miss; fwd-status=200; stored; collapsed; detail=origin',
  ],
  [{ hit: false, fwd: 'vary-miss', stored: false, collapsed: false }, 'eddy; fwd=vary-miss'],
  [{ hit: true, fwd: 'stale', fwdStatus: 304 }, 'eddy; hit'],
] as const)('Cache-Status of %j (RFC 9211 2)', (status, member) => {
  expect(cacheStatusMember(status)).toBe(member);
});

it('the longest prefix wins, at segment boundaries only', () => {
  const policies = longestFirst(['/', '/vod', '/vod/hd/', '/live'].map((prefix) => policyOf({ prefix, name: prefix })));
  const mapOf = (target: string) => policyFor(target, policies)?.name;
  expect(['/vod/hd/a', '/vod/hd', '/vod?x', '/vod', '/vodka', '/live/', '/x'].map(mapOf)).toEqual([
    '/vod/hd/',
    '/vod',
    '/vod',
    '/vod',
    '/',
    '/live',
    '/',
  ]);
  expect(policyFor('/x', longestFirst([policyOf({ prefix: '/a' })]))).toBeUndefined();
});

it.each([
  ['/a?token=1&b=2', '/a?token=redacted&b=2'],
  ['/a?b=2&hdnts=exp=1~hmac=2', '/a?b=2&hdnts=redacted'],
  [
    '/a?X-Amz-Signature=1&X-Amz-Credential=2&Policy=3',
    '/a?X-Amz-Signature=redacted&X-Amz-Credential=redacted&Policy=redacted',
  ],
  ['/token=1', '/token=1'],
])('%s is logged as %s', (target, logged) => {
  expect(redactTarget(target)).toBe(logged);
});

it('multipart/byteranges: exact length, and a boundary that is new each time (RFC 9110 14.6)', () => {
  const spans = [
    { first: 0, last: 1 },
    { first: 5, last: 9 },
  ];
  const about = { completeLength: 10, contentType: 'a/b' };
  const { parts, tail, contentLength, contentType } = layOutParts(spans, about);
  const text = Buffer.concat([
    ...parts.flatMap(({ head: h, first, last }) => [h, Buffer.alloc(last - first + 1, 'x')]),
    tail,
  ]);
  expect(text.length).toBe(contentLength);
  const boundary = contentType.split('boundary=')[1];
  expect(text.toString()).toBe(
    `--${boundary}\r\nContent-Type: a/b\r\nContent-Range: bytes 0-1/10\r\n\r\nxx\r\n` +
      `--${boundary}\r\nContent-Type: a/b\r\nContent-Range: bytes 5-9/10\r\n\r\nxxxxx\r\n--${boundary}--\r\n`,
  );
  expect(layOutParts(spans, about).contentType).not.toBe(contentType);
});
