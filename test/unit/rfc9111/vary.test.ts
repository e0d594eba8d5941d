import { describe, expect, it } from 'vitest';
import { Selecting, varyOf } from '../../../src/cache/rules/vary.ts';
import { Representation } from '../../../src/cache/stored/representation.ts';
import { select } from '../../../src/cache/stored/select.ts';
import type { StoredResponse } from '../../../src/cache/types.ts';
import { fieldsOf, httpDate, type Lines, storedWith } from '../../support/stored-response.ts';

function variant(vary: string, request: Lines, changes: { date?: number; id?: number } = {}): StoredResponse {
  const lines: Record<string, string> = { Date: httpDate(changes.date ?? 0), ...(vary !== '' && { Vary: vary }) };
  const selecting = varyOf(fieldsOf(lines), fieldsOf(request));
  if (selecting === 'any') throw new Error('Vary: * is never stored');
  return storedWith(lines, { id: changes.id ?? 1, vary: selecting });
}

const fits = (vary: string, original: Lines, presented: Lines): boolean =>
  new Selecting(variant(vary, original)).matches(fieldsOf(presented));

const selected = (variants: readonly StoredResponse[], request: Lines): number | undefined => {
  const where = { key: 'key', target: '/' };
  return select(
    variants.map((each) => new Representation(each, where)),
    fieldsOf(request),
  )?.id;
};

describe('section 4.1: calculating cache keys with the Vary header field', () => {
  it('all nominated fields must match', () => {
    expect(fits('Foo', { Foo: '1' }, { Foo: '1' })).toBe(true);
    expect(fits('Foo', { Foo: '1' }, { Foo: '2' })).toBe(false);
    const original = { Foo: '1', Bar: 'abc', Baz: '789' };
    expect(fits('Foo, Bar, Baz', original, { baz: '789', BAR: 'abc', foo: '1' })).toBe(true);
    expect(fits('Foo, Bar, Baz', original, { ...original, Bar: 'abcde' })).toBe(false);
    expect(fits('foo, Foo', { Foo: '1' }, { Foo: '1' })).toBe(true);
  });

  it('fields that are not nominated do not count', () => {
    expect(fits('Foo', { Foo: '1', Other: '2' }, { Foo: '1', Other: '3' })).toBe(true);
  });

  it('an absent field matches an absent one only', () => {
    expect(fits('Foo', {}, { Foo: '1' })).toBe(false);
    expect(fits('Foo', { Foo: '1' }, {})).toBe(false);
    expect(fits('Foo', {}, { Foo: '' })).toBe(false);
    expect(fits('Foo, Bar', { Foo: '1' }, { Foo: '1' })).toBe(true);
  });

  it('several Vary lines count together', () => {
    const response = fieldsOf([
      ['Vary', 'Foo'],
      ['Vary', 'Bar'],
    ]);
    expect(varyOf(response, fieldsOf({ Foo: '1' }))).toEqual([
      ['bar', null],
      ['foo', '1'],
    ]);
    expect(varyOf(fieldsOf({ Vary: ' , ' }), fieldsOf({}))).toEqual([]);
  });

  it('a member * never matches', () => {
    for (const vary of ['*', '*, *', ', *', '*, Foo', 'Foo, *'])
      expect(varyOf(fieldsOf({ Vary: vary }), fieldsOf({ Foo: '1' }))).toBe('any');
    expect(new Selecting(storedWith({ Vary: 'Foo, *' })).matches(fieldsOf({}))).toBe(false);
  });

  it('lines are combined and whitespace is left out', () => {
    const lines = [
      ['Foo', '1'],
      ['Foo', '2'],
    ] as const;
    expect(fits('Foo', { Foo: '1, 2' }, lines)).toBe(true);
    expect(fits('Foo', { Foo: '1,2' }, { Foo: ' 1, 2 ' })).toBe(true);
    expect(fits('Foo', { Foo: '"a, b"' }, { Foo: '"a,b"' })).toBe(false);
    expect(fits('Foo', { Foo: '1, 2' }, { Foo: '2, 1' })).toBe(false);
    expect(fits('Foo', { Foo: 'a' }, { Foo: 'A' })).toBe(false);
  });

  it('a value full of quotes is read in no time', () => {
    const value = '"\\"'.repeat(50_000);
    expect(fits('Foo', { Foo: value }, { Foo: value })).toBe(true);
  });

  it('in weighted lists order, case and a weight of 1 say nothing', () => {
    const same = (name: string, a: string, b: string): boolean => fits(name, { [name]: a }, { [name]: b });
    expect(same('Accept-Language', 'en, de', 'de, en')).toBe(true);
    expect(same('Accept-Language', 'en, de', 'eN, De')).toBe(true);
    expect(same('Accept-Language', 'en, de', ' en ,   de')).toBe(true);
    expect(same('Accept-Encoding', 'gzip, br;q=1.0', 'br , GZIP;q=1, gzip')).toBe(true);
    expect(same('Accept-Encoding', 'x-gzip', 'gzip')).toBe(true);
    expect(same('Accept-Encoding', 'gzip;q=0.50', 'gzip; Q=0.5')).toBe(true);
    expect(same('Accept', 'video/mp2t, */*;q=0.8', '*/*; q=0.800 ,VIDEO/MP2T')).toBe(true);
  });

  it('but weights and parameters do', () => {
    const same = (name: string, a: string, b: string): boolean => fits(name, { [name]: a }, { [name]: b });
    expect(same('Accept-Encoding', 'gzip, br;q=0.5', 'gzip, br')).toBe(false);
    expect(same('Accept-Encoding', 'gzip;q=0', 'gzip')).toBe(false);
    expect(same('Accept-Encoding', '', 'gzip')).toBe(false);
    expect(same('Accept', 'video/mp4;codecs="AVC1"', 'video/mp4;codecs="avc1"')).toBe(false);
    expect(same('Accept-Language', 'en, de', 'fr;q=0.5, de;q=1.0')).toBe(false);
  });

  it('of several that match the most recent by Date is chosen', () => {
    const older = variant('Foo', { Foo: '1' }, { id: 1, date: -10 });
    const newer = variant('Foo', { Foo: '1' }, { id: 2, date: -5 });
    const other = variant('Foo', { Foo: '2' }, { id: 3, date: 0 });
    for (const variants of [
      [older, newer, other],
      [other, newer, older],
    ])
      expect(selected(variants, { Foo: '1' })).toBe(2);
    expect(selected([older, newer, other], { Foo: '3' })).toBeUndefined();
    expect(selected([], {})).toBeUndefined();
  });

  it('one with Vary goes before a more recent one without', () => {
    const varying = variant('Foo', { Foo: '1' }, { id: 1, date: -10 });
    const plain = variant('', {}, { id: 2 });
    expect(selected([plain, varying], { Foo: '1' })).toBe(1);
    expect(selected([plain, varying], { Foo: '2' })).toBe(2);
  });
});
