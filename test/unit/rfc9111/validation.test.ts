import { describe, expect, it } from 'vitest';
import {
  freshen as freshenBy,
  freshenSelects,
  headFreshens as headFreshensBy,
} from '../../../src/cache/rules/freshen.ts';
import { freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import { judge } from '../../../src/cache/rules/reuse.ts';
import type { StoredResponse } from '../../../src/cache/types.ts';
import { conditionalFields } from '../../../src/semantics/validators.ts';
import { fieldsOf, httpDate, type Lines, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

const laterMs = receivedMs + 10_000;

function update(lines: Lines) {
  return { fields: fieldsOf(lines), requestTimeMs: laterMs - 500, responseTimeMs: laterMs };
}

const asked = { target: '/page', fields: fieldsOf({}), policy: policyWith() };
const useAt = (stored: StoredResponse, nowMs: number): string => judge(freshnessTerms(stored, asked), asked, nowMs).use;
const freshen = (stored: StoredResponse, news: ReturnType<typeof update>) => freshenBy(stored, news, asked);
const headFreshens = (stored: StoredResponse, news: ReturnType<typeof update>) => headFreshensBy(stored, news, asked);

describe('section 4.3.1: sending a validation request', () => {
  it('sends the entity tag as it is, and Last-Modified beside it', () => {
    const modified = httpDate(-3000);
    const fields = (lines: Lines) => conditionalFields(storedWith(lines)).raw;
    expect(fields({ ETag: 'W/"abcdef"' })).toEqual(['If-None-Match', 'W/"abcdef"']);
    expect(fields({ 'Last-Modified': modified })).toEqual(['If-Modified-Since', modified]);
    expect(fields({ ETag: '"a"', 'Last-Modified': modified })).toEqual([
      'If-None-Match',
      '"a"',
      'If-Modified-Since',
      modified,
    ]);
  });

  it('sends nothing that is no validator', () => {
    expect(conditionalFields(storedWith({ ETag: 'abcdef', 'Last-Modified': 'yesterday' })).raw).toEqual([]);
  });
});

describe('section 3.2: updating stored header fields', () => {
  const stored = storedWith({
    'Cache-Control': 'max-age=2',
    ETag: '"a"',
    'Test-Header': 'A',
    'Content-Type': 'text/plain',
  });

  it('keeps what the update does not have', () => {
    const fields = freshen(stored, update({ ETag: '"a"', Date: httpDate(10) })).fields;
    expect(fields.get('test-header')).toBe('A');
    expect(fields.get('cache-control')).toBe('max-age=2');
  });

  it.each([
    'Test-Header',
    'X-Test',
    'Content-Foo',
    'Cache-Control',
    'Content-Encoding',
    'Content-Location',
    'Content-MD5',
    'Content-Type',
    'Expires',
    'Set-Cookie',
  ])('replaces %s', (name) => {
    const before = storedWith([
      [name, 'A'],
      [name, 'B'],
    ]);
    expect(
      freshen(
        before,
        update([
          [name.toLowerCase(), 'C'],
          [name, 'D'],
        ]),
      ).fields.all(name),
    ).toEqual(['C', 'D']);
  });

  it('except Content-Length, Content-Range and what ends at this hop', () => {
    const lines = {
      'Content-Length': '10',
      'Content-Range': 'bytes 0-1/2',
      Connection: 'Test-Header',
      'Test-Header': 'B',
      TE: 'x',
    };
    const { fields } = freshen(stored, update(lines));
    expect(fields.get('test-header')).toBe('A');
    for (const name of ['content-length', 'content-range', 'connection', 'te']) expect(fields.has(name)).toBe(false);
  });

  it('5.2.2.7: no longer stores what the update withholds', () => {
    const after = freshen(stored, update({ 'Cache-Control': 'max-age=60, private="test-header"', 'Test-Header': 'B' }));
    expect(after.fields.has('test-header')).toBe(false);
  });
});

describe('section 4.3.4: freshening stored responses upon validation', () => {
  it('makes a stale response fresh, as young as the update', () => {
    const stale = storedWith({ 'Cache-Control': 'max-age=2', Age: '1000' }, { invalidated: true });
    expect(useAt(stale, laterMs)).toBe('revalidate');
    const after = freshen(stale, update({ Date: httpDate(10) }));
    expect(after).toMatchObject({
      id: 1,
      completeLength: 36,
      requestTimeMs: laterMs - 500,
      responseTimeMs: laterMs,
      invalidated: false,
    });
    expect(useAt(after, laterMs)).toBe('fresh');
    expect(useAt(after, laterMs + 1600)).toBe('revalidate');
    expect(stale.fields.get('age')).toBe('1000');
  });

  it('takes the Age of the update', () => {
    const after = freshen(storedWith({ 'Cache-Control': 'max-age=60', Age: '1' }), update({ Age: '100' }));
    expect(useAt(after, laterMs)).toBe('revalidate');
  });

  it('RFC 9110 section 6.6.1: an update without Date was made when it came', () => {
    expect(freshen(storedWith({ 'Cache-Control': 'max-age=2' }), update({})).fields.get('date')).toBe(httpDate(10));
  });

  it('takes up a changed Vary', () => {
    const request = { ...asked, fields: fieldsOf({ Foo: '1' }) };
    const after = freshenBy(storedWith({}), update({ Vary: 'Foo' }), request);
    expect(after.vary).toEqual([['foo', '1']]);
    expect(freshen(storedWith({}, { vary: [['a', '1']] }), update({})).vary).toEqual([['a', '1']]);
  });

  const a = storedWith({ ETag: '"a"', Date: httpDate(-20) }, { id: 1 });
  const b = storedWith({ ETag: '"b"', Date: httpDate(-10) }, { id: 2 });
  const alsoA = storedWith({ ETag: '"a"', Date: httpDate(-5) }, { id: 3 });
  const modified = httpDate(-3000);
  const ids = (variants: readonly StoredResponse[], lines: Lines, asked = a): readonly number[] =>
    freshenSelects(variants, fieldsOf(lines), asked).map(({ id }) => id);

  it('a strong validator updates all that have it', () => {
    expect(ids([a, b, alsoA], { ETag: '"a"' })).toEqual([1, 3]);
    const dated = storedWith({ 'Last-Modified': modified }, { id: 4 });
    expect(ids([a, dated], { 'Last-Modified': modified, Date: httpDate(0) })).toEqual([4]);
  });

  it('a strong validator that none has updates none', () => {
    expect(ids([a, b], { ETag: '"c"' }, a)).toEqual([]);
    const both = storedWith({ ETag: '"a"', 'Last-Modified': modified });
    expect(ids([both], { ETag: '"c"', 'Last-Modified': modified, Date: httpDate(0) }, both)).toEqual([]);
  });

  it('a weak validator updates the most recent that has it', () => {
    const weak = storedWith({ ETag: 'W/"a"', Date: httpDate(-30) }, { id: 5 });
    expect(ids([weak, a, alsoA, b], { ETag: 'W/"a"' })).toEqual([3]);
    expect(ids([b], { ETag: 'W/"a"' }, b)).toEqual([]);
    const recent = httpDate(-1);
    const dated = storedWith({ 'Last-Modified': recent }, { id: 6 });
    expect(ids([dated, b], { 'Last-Modified': recent, Date: httpDate(0) })).toEqual([6]);
  });

  it('a 304 without validators updates the one that was asked about', () => {
    expect(ids([a, b], { Date: httpDate(0) }, b)).toEqual([2]);
  });
});

describe('section 4.3.5: freshening responses with HEAD', () => {
  const stored = storedWith({ 'Cache-Control': 'max-age=2', ETag: '"a"', 'Template-A': '1' });

  it('updates where validators and length match', () => {
    const after = headFreshens(
      stored,
      update({ 'Cache-Control': 'max-age=1000', ETag: '"a"', 'Content-Length': '36', 'Template-A': '2' }),
    );
    expect(after.fields.get('template-a')).toBe('2');
    expect(useAt(after, laterMs)).toBe('fresh');
    expect(useAt(headFreshens(storedWith({}), update({ 'Cache-Control': 'max-age=1000' })), laterMs)).toBe('fresh');
  });

  it('makes it stale where they do not', () => {
    for (const lines of [{ ETag: '"b"' }, { 'Last-Modified': httpDate(0) }, { 'Content-Length': '37' }])
      expect(headFreshens(stored, update({ ...lines, 'Cache-Control': 'max-age=1000' }))).toEqual({
        ...stored,
        invalidated: true,
      });
  });
});
