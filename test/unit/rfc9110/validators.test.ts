import { describe, expect, it } from 'vitest';
import {
  parseEntityTags,
  sameRepresentation,
  strongCompare,
  validatorOf,
  weakCompare,
} from '../../../src/semantics/validators.ts';
import { fieldsOf, httpDate, type Lines } from '../../support/stored-response.ts';

describe('RFC 9110 section 8.8.3: ETag', () => {
  it('compares strongly and weakly', () => {
    const table = [
      ['W/"1"', 'W/"1"', false, true],
      ['W/"1"', 'W/"2"', false, false],
      ['W/"1"', '"1"', false, true],
      ['"1"', '"1"', true, true],
    ] as const;
    for (const [a, b, strong, weak] of table) {
      expect(strongCompare(a, b)).toBe(strong);
      expect(weakCompare(a, b)).toBe(weak);
    }
  });

  it('reads lists in which commas may stand inside tags', () => {
    expect(parseEntityTags('"a,b" ,W/"c",, "ü"')).toEqual(['"a,b"', 'W/"c"', '"ü"']);
    expect(parseEntityTags('')).toEqual([]);
    for (const list of ['a', '"a', '"a" "b"', 'w/"a"', '*', '"a b"'])
      expect(parseEntityTags(list), list).toBeUndefined();
  });

  it('takes no malformed tag for a validator', () => {
    for (const etag of ['abc', '"a', 'w/"a"', 'W\\"a"', '"a", "b"'])
      expect(validatorOf(fieldsOf({ ETag: etag })), etag).toMatchObject({ etag: undefined, strong: undefined });
  });
});

describe('RFC 9110 section 8.8.2.2: Last-Modified as a strong validator', () => {
  const isStrong = (lines: Lines): boolean => validatorOf(fieldsOf(lines)).strong !== undefined;
  const at = (seconds: number, more: Lines = {}): boolean =>
    isStrong({ 'Last-Modified': httpDate(-seconds), Date: httpDate(0), ...more });

  it('once the Date is well after it', () => {
    expect(at(60)).toBe(true);
    expect(at(59)).toBe(false);
    expect(isStrong({ 'Last-Modified': httpDate(-60) })).toBe(false);
    expect(isStrong({ 'Last-Modified': 'x', Date: httpDate(0) })).toBe(false);
  });

  it('section 13.1.5: not beside an entity tag, weak and malformed ones included', () => {
    expect(at(60, { ETag: 'W/"a"' })).toBe(false);
    expect(at(60, { ETag: 'abc' })).toBe(false);
    expect(validatorOf(fieldsOf({ ETag: '"a"', 'Last-Modified': httpDate(-60), Date: httpDate(0) })).strong).toBe(
      '"a"',
    );
  });
});

describe('RFC 9110 section 15.3.7.3: combining parts', () => {
  const same = (a: Lines, b: Lines): boolean => sameRepresentation(fieldsOf(a), fieldsOf(b));

  it('needs the same strong validator', () => {
    expect(same({ ETag: '"a"' }, { ETag: '"a"' })).toBe(true);
    expect(same({ ETag: '"a"' }, { ETag: '"b"' })).toBe(false);
    expect(same({ ETag: 'W/"a"' }, { ETag: 'W/"a"' })).toBe(false);
    expect(same({}, {})).toBe(false);
    expect(same({ ETag: '"a"' }, {})).toBe(false);
    const dated = { 'Last-Modified': httpDate(-100), Date: httpDate(0) };
    expect(same(dated, { ...dated, Date: httpDate(50) })).toBe(true);
    expect(same(dated, { ...dated, 'Last-Modified': httpDate(-99) })).toBe(false);
    expect(same({ ...dated, ETag: '"a"' }, dated)).toBe(false);
  });
});
