import { describe, expect, it } from 'vitest';
import { parseCacheControl, requestDirectives } from '../../../src/cache/rules/directives.ts';
import { fieldsOf } from '../../support/stored-response.ts';

describe('section 5.2: Cache-Control', () => {
  it('5.2: names are compared without case', () => {
    expect(parseCacheControl('MaX-aGe=3600, No-StOrE')).toMatchObject({ maxAgeSeconds: 3600, noStore: true });
  });

  it('5.2: an absent or empty value says nothing', () => {
    for (const value of [undefined, '', ' ', ',', ', ,'])
      expect(parseCacheControl(value)).toMatchObject({ noStore: false, noCache: false, private: false });
    expect(parseCacheControl('')).not.toHaveProperty('maxAgeSeconds');
  });

  it('5.2: an argument may be quoted', () => {
    expect(parseCacheControl('max-age="3600"').maxAgeSeconds).toBe(3600);
    expect(parseCacheControl('no-cache="a\\b, C"').noCache).toEqual(['ab', 'c']);
  });

  it('5.2: what stands in a quoted string is no directive', () => {
    expect(parseCacheControl('extension="max-age=3600, no-store", max-age=1')).toMatchObject({
      maxAgeSeconds: 1,
      noStore: false,
    });
    expect(parseCacheControl('max-age=1, extension="max-age=3600"').maxAgeSeconds).toBe(1);
    expect(parseCacheControl('extension="a\\", no-store"').noStore).toBe(false);
  });

  it('5.2: a quote that is never closed hides nothing', () => {
    expect(parseCacheControl('extension="max-age=3600, no-store').noStore).toBe(true);
    expect(parseCacheControl(`${'"\\"'.repeat(50_000)}, no-store`).noStore).toBe(true);
  });

  it('5.2.3: unknown directives are ignored', () => {
    expect(parseCacheControl('foobar, max-age=3600, x=y, community="UCI"').maxAgeSeconds).toBe(3600);
  });

  it('5.2.1.2: max-stale without a value accepts any staleness', () => {
    expect(parseCacheControl('max-stale').maxStaleSeconds).toBe(Number.POSITIVE_INFINITY);
    expect(parseCacheControl('max-stale=10').maxStaleSeconds).toBe(10);
    expect(parseCacheControl('max-stale=x').maxStaleSeconds).toBe(0);
  });

  it('5.2.2.4 and 5.2.2.7: qualified forms name fields, unqualified ones win', () => {
    expect(parseCacheControl('no-cache="a", private="Set-Cookie, b"')).toMatchObject({
      noCache: ['a'],
      private: ['set-cookie', 'b'],
    });
    expect(parseCacheControl('no-cache=a, no-cache="b"').noCache).toEqual(['a', 'b']);
    expect(parseCacheControl('private="a", private').private).toBe(true);
    expect(parseCacheControl('private, private="a"').private).toBe(true);
  });

  it('5.2.2.4 and 5.2.2.7: a qualified form that names no field is taken for the unqualified one', () => {
    for (const argument of ['""', '', '","', '"a b"', '"ä"'])
      expect(parseCacheControl(`private=${argument}`).private).toBe(true);
  });

  it('5.2.2: a restriction counts with an argument it should not have, a permission does not', () => {
    expect(parseCacheControl('no-store=1, must-revalidate="x", public=yes, immutable=1')).toMatchObject({
      noStore: true,
      mustRevalidate: true,
      public: false,
      immutable: false,
    });
  });

  it('1.2.2: delta-seconds beyond 31 bits count as 2147483648', () => {
    expect(parseCacheControl('max-age=2147483647').maxAgeSeconds).toBe(2_147_483_647);
    for (const value of ['2147483648', '2147483649', '99999999999', '9'.repeat(400)])
      expect(parseCacheControl(`max-age=${value}`).maxAgeSeconds).toBe(2_147_483_648);
    expect(parseCacheControl('max-age=003600').maxAgeSeconds).toBe(3600);
  });

  it('4.2.1: an invalid lifetime counts as stale', () => {
    for (const value of ['-3600', "'3600'", '3600.0', '3600.5', 'a3600', '3600a', '', '"', '1 2', '0x10'])
      expect(parseCacheControl(`max-age=${value}`).maxAgeSeconds, value).toBe(0);
    for (const spaced of ['max-age =3600', 'max-age= 3600', 'max-age', 'max-age\t=3600'])
      expect(parseCacheControl(spaced).maxAgeSeconds, spaced).toBe(0);
  });

  it('4.2.1: of a directive that comes twice the first counts', () => {
    expect(parseCacheControl('max-age=1800, max-age=1').maxAgeSeconds).toBe(1800);
    expect(parseCacheControl('max-age=x, max-age=1800').maxAgeSeconds).toBe(0);
    expect(parseCacheControl('s-maxage=1, s-maxage=1800').sMaxageSeconds).toBe(1);
  });

  it('5.4: Pragma counts in a request without Cache-Control only', () => {
    expect(requestDirectives(fieldsOf({ Pragma: 'no-cache' })).noCache).toBe(true);
    expect(requestDirectives(fieldsOf({ Pragma: 'x, No-Cache' })).noCache).toBe(true);
    expect(requestDirectives(fieldsOf({ Pragma: 'foo' })).noCache).toBe(false);
    expect(requestDirectives(fieldsOf({ Pragma: 'no-store, max-age=0' }))).toMatchObject({ noStore: false });
    expect(requestDirectives(fieldsOf({ Pragma: 'no-cache', 'Cache-Control': 'x' })).noCache).toBe(false);
  });
});
