import { describe, expect, it } from 'vitest';
import { fieldsStored, storable } from '../../../src/cache/rules/storable.ts';
import type { MapPolicy } from '../../../src/cache/types.ts';
import { fieldsOf, httpDate, type Lines, policyWith } from '../../support/stored-response.ts';

interface Exchange {
  readonly method?: string;
  readonly status?: number;
  readonly request?: Lines;
  readonly response?: Lines;
  readonly policy?: Partial<MapPolicy>;
}

function judged({ method = 'GET', status = 200, request = {}, response = {}, policy = {} }: Exchange): boolean {
  return storable(
    {
      method,
      fields: fieldsOf(request),
      policy: policyWith(policy),
    },
    { status, fields: fieldsOf(response) },
  );
}

const fresh = { 'Cache-Control': 'max-age=3600' };

describe('section 3: storing responses in caches', () => {
  it('the request method is understood: GET only', () => {
    expect(judged({ response: fresh })).toBe(true);
    for (const method of ['HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'M-SEARCH', 'get'])
      expect(judged({ method, response: fresh })).toBe(false);
  });

  it('the status code is final', () => {
    for (const status of [100, 102, 103, 199, 600, 999]) expect(judged({ status, response: fresh })).toBe(false);
  });

  it.each([200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599])(
    'a %d with an explicit lifetime',
    (status) => {
      expect(judged({ status, response: fresh })).toBe(true);
      expect(judged({ status, response: { Expires: httpDate(60) } })).toBe(true);
    },
  );

  it('a 206 needs one range of bytes, a 304 is never stored', () => {
    const part = { ...fresh, 'Content-Range': 'bytes 4-9/10' };
    expect(judged({ status: 206, response: part })).toBe(true);
    expect(judged({ status: 206, response: fresh })).toBe(false);
    expect(judged({ status: 206, response: { ...fresh, 'Content-Range': 'lines 4-9/10' } })).toBe(false);
    expect(judged({ status: 304, response: fresh })).toBe(false);
  });

  it('answers to a condition or a range of one request are not for others', () => {
    for (const status of [412, 416, 417]) expect(judged({ status, response: fresh })).toBe(false);
  });

  it('5.2.2.3: must-understand lifts no-store for status codes that are understood, and forbids others', () => {
    const understand = { 'Cache-Control': 'max-age=3600, no-store, must-understand' };
    expect(judged({ status: 200, response: understand })).toBe(true);
    expect(judged({ status: 599, response: understand })).toBe(false);
    expect(judged({ status: 599, response: { 'Cache-Control': 'max-age=3600, must-understand' } })).toBe(false);
  });

  it('5.2.2.5: no-store', () => {
    expect(judged({ response: { 'Cache-Control': 'no-store' } })).toBe(false);
    expect(judged({ response: { 'Cache-Control': 'max-age=10000, No-StOrE', Expires: httpDate(60) } })).toBe(false);
  });

  it('5.2.1.5: no-store in the request, where request directives are honoured', () => {
    const exchange = { request: { 'Cache-Control': 'no-store' }, response: fresh };
    expect(judged(exchange)).toBe(false);
    expect(judged({ ...exchange, policy: { requestDirectives: false } })).toBe(true);
  });

  it('5.2.2.7: private', () => {
    expect(judged({ response: { 'Cache-Control': 'private, max-age=3600' } })).toBe(false);
    expect(judged({ response: { 'Cache-Control': 'private="x-user", max-age=3600' } })).toBe(true);
  });

  it('5.2.2.4: no-cache may be stored', () => {
    expect(judged({ response: { 'Cache-Control': 'no-cache', ETag: '"a"' } })).toBe(true);
  });

  it('needs a lifetime, public, or a status code that is heuristically cacheable', () => {
    for (const status of [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]) expect(judged({ status })).toBe(true);
    for (const status of [201, 202, 302, 303, 307, 403, 500, 502, 503, 504, 599])
      expect(judged({ status, response: { 'Last-Modified': httpDate(-86_400) } })).toBe(false);
    expect(judged({ status: 599, response: { 'Cache-Control': 'public' } })).toBe(true);
  });

  it('4.1: Vary: * is not stored, as nothing matches it', () => {
    for (const vary of ['*', '*, *', ', *', '*, Foo', 'Foo, *'])
      expect(judged({ response: { ...fresh, Vary: vary } })).toBe(false);
    expect(
      judged({
        response: [
          ['Cache-Control', 'max-age=9'],
          ['Vary', ''],
          ['Vary', '*'],
        ],
      }),
    ).toBe(false);
  });

  it('7.3: Set-Cookie is stored where the origin says that the response may be shared', () => {
    const cookie = { 'Set-Cookie': 'a=b' };
    for (const given of [fresh, { 'Cache-Control': 's-maxage=1' }, { 'Cache-Control': 'public' }])
      expect(judged({ response: { ...cookie, ...given } })).toBe(true);
    expect(judged({ response: { ...cookie, Expires: httpDate(60) } })).toBe(true);
    expect(judged({ response: { ...cookie, 'CDN-Cache-Control': 'max-age=60' } })).toBe(true);
    expect(judged({ response: { ...cookie, 'Last-Modified': httpDate(-60) } })).toBe(false);
  });
});

describe('section 3.1: storing header and trailer fields', () => {
  const kept = (lines: Lines, options: Partial<Parameters<typeof fieldsStored>[1]> = {}) =>
    fieldsStored(fieldsOf(lines), { status: 200, targetedFields: [], ...options });
  const names = (...about: Parameters<typeof kept>): string[] => [...kept(...about).lines()].map(([name]) => name);

  it('keeps all fields, unknown ones included, in their order and case', () => {
    const lines = [
      ['Date', httpDate(0)],
      ['X-Test-Header', '1'],
      ['Set-Cookie', 'a=b'],
      ['Set-Cookie', 'c=d'],
      ['CDN-Cache-Control', 'max-age=1'],
      ['Content-MD5', 'x'],
      ['Clear-Site-Data', 'cache'],
    ] as const;
    expect(kept(lines).raw).toEqual(lines.flat());
  });

  it('drops Connection and the fields it names', () => {
    expect(names({ Connection: 'a, B', a: '1', b: '2', c: '3' })).toEqual(['c']);
  });

  it('RFC 9110 section 7.6.1: Connection cannot take away what is meant for every recipient', () => {
    const lines = { Connection: 'Cache-Control, Age, close', 'Cache-Control': 'no-cache', Age: '7' };
    expect(names(lines)).toEqual(['Cache-Control', 'Age']);
  });

  it('drops the fields of the connection and of the proxy', () => {
    const dropped = ['Keep-Alive', 'Proxy-Authenticate', 'Proxy-Authentication-Info', 'Proxy-Authorization'];
    dropped.push('Proxy-Connection', 'TE', 'Trailer', 'Transfer-Encoding', 'Upgrade', 'Content-Length');
    expect(names(dropped.map((name) => [name, 'x'] as const))).toEqual([]);
  });

  it('drops Content-Range where it describes the content', () => {
    expect(names({ 'Content-Range': 'bytes 0-1/2' }, { status: 206 })).toEqual([]);
    expect(names({ 'Content-Range': 'x' }, { status: 200 })).toEqual(['Content-Range']);
  });

  it('5.2.2.4 and 5.2.2.7: drops the fields that a qualified directive names', () => {
    const lines = {
      'Cache-Control': 'no-cache="a", private="b, SET-COOKIE", max-age=1',
      A: '1',
      b: '2',
      'Set-Cookie': '3',
    };
    expect(names({ ...lines, c: '4' })).toEqual(['Cache-Control', 'c']);
  });

  it('RFC 9213 section 2.2: only those of the field that governs', () => {
    const lines = { 'Cache-Control': 'private="a"', 'CDN-Cache-Control': 'private="b", max-age=1', a: '1', b: '2' };
    const targetedFields = ['cdn-cache-control'];
    expect(names(lines, { targetedFields })).toEqual(['Cache-Control', 'CDN-Cache-Control', 'a']);
  });
});

describe('section 3.5: storing responses to authenticated requests', () => {
  const store = (cacheControl: string): boolean =>
    judged({ request: { Authorization: 'FOO' }, response: { 'Cache-Control': cacheControl } });

  it('not even with an explicit lifetime', () => {
    expect(store('max-age=3600')).toBe(false);
    expect(store('max-age=3600, proxy-revalidate')).toBe(false);
  });

  it.each(['max-age=3600, public', 'max-age=3600, must-revalidate', 's-maxage=3600'])('but with %s', (value) => {
    expect(store(value)).toBe(true);
  });
});
