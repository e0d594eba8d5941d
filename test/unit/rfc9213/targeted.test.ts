import { describe, expect, it } from 'vitest';
import { effectiveDirectives, parseTargeted } from '../../../src/cache/rules/directives.ts';
import { freshnessAt, freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import { judge } from '../../../src/cache/rules/reuse.ts';
import { storable } from '../../../src/cache/rules/storable.ts';
import { fieldsOf, httpDate, type Lines, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

const context = { target: '/page', policy: policyWith() };
const termsOf = (lines: Lines) => freshnessTerms(storedWith(lines), context);
const after3s = (lines: Lines) => freshnessAt(termsOf(lines), receivedMs + 3000);
const stores = (lines: Lines): boolean =>
  storable({ method: 'GET', fields: fieldsOf({}), ...context }, { status: 200, fields: fieldsOf(lines) });

describe('RFC 9213 section 2.1: syntax', () => {
  it('is a Dictionary', () => {
    expect(parseTargeted('foobar, max-age=3600, must-revalidate;x=y')).toMatchObject({
      maxAgeSeconds: 3600,
      mustRevalidate: true,
    });
    expect(parseTargeted('no-cache="a, b", private')).toMatchObject({ noCache: ['a', 'b'], private: true });
  });

  it('one that is empty or does not parse is ignored', () => {
    for (const value of [
      undefined,
      '',
      ' ',
      'max-age=10000, &&&&&',
      'max-age =100',
      'max-age= 100',
      'MaX-aGe=3600',
      'a,',
    ])
      expect(parseTargeted(value), value).toBeUndefined();
  });

  it('a lifetime of the wrong type is not used, and counts as stale', () => {
    for (const value of ['max-age="10000"', 'max-age=1.5', 'max-age', 'max-age=abc', 'max-age=(1 2)', 'max-age=-1'])
      expect(parseTargeted(value)?.maxAgeSeconds, value).toBe(0);
  });

  it('a directive that is false is not given', () => {
    expect(parseTargeted('no-store=?0, max-age=1')).toMatchObject({ noStore: false, maxAgeSeconds: 1 });
  });

  it('large values are capped', () => {
    for (const value of ['2147483648', '99999999999'])
      expect(parseTargeted(`max-age=${value}`)?.maxAgeSeconds).toBe(2 ** 31);
  });
});

describe('RFC 9213 section 2.2: cache behavior', () => {
  it('the first valid field of the list governs', () => {
    const fields = fieldsOf({
      'CDN-Cache-Control': 'max-age=2',
      'Eddy-Cache-Control': 'max-age=1',
      'Cache-Control': 'max-age=3',
    });
    const list = ['eddy-cache-control', 'cdn-cache-control'];
    expect(effectiveDirectives(fields, list)).toMatchObject({ targeted: true, directives: { maxAgeSeconds: 1 } });
    expect(effectiveDirectives(fields, list.toReversed()).directives.maxAgeSeconds).toBe(2);
    expect(effectiveDirectives(fields, [])).toMatchObject({ targeted: false, directives: { maxAgeSeconds: 3 } });
    const invalid = fieldsOf({ 'CDN-Cache-Control': 'max-age=2', 'Eddy-Cache-Control': '&' });
    expect(effectiveDirectives(invalid, list).directives.maxAgeSeconds).toBe(2);
  });

  it('Cache-Control and Expires are ignored beside it', () => {
    expect(after3s({ 'CDN-Cache-Control': 'max-age=3600', Expires: httpDate(-10_000) }).fresh).toBe(true);
    expect(after3s({ 'CDN-Cache-Control': 'max-age=3600', Expires: '0' }).fresh).toBe(true);
    expect(after3s({ 'CDN-Cache-Control': 'max-age=3600', 'Cache-Control': 'max-age=1' }).fresh).toBe(true);
    expect(after3s({ 'CDN-Cache-Control': 'max-age=1', 'Cache-Control': 'max-age=3600' }).fresh).toBe(false);
    expect(after3s({ 'CDN-Cache-Control': 'max-age=0', Expires: httpDate(10_000) }).fresh).toBe(false);
    expect(after3s({ 'CDN-Cache-Control': 'must-revalidate', Expires: httpDate(10_000) }).fresh).toBe(false);
  });

  it('Age counts against it', () => {
    expect(after3s({ 'CDN-Cache-Control': 'max-age=3600', Age: '7200' }).fresh).toBe(false);
  });

  it('its private and no-store forbid storing, its absence of them allows it', () => {
    const open = { 'Cache-Control': 'max-age=10000', Expires: httpDate(10_000) };
    expect(stores({ ...open, 'CDN-Cache-Control': 'private' })).toBe(false);
    expect(stores({ ...open, 'CDN-Cache-Control': 'no-store' })).toBe(false);
    expect(stores({ 'Cache-Control': 'no-store', 'CDN-Cache-Control': 'max-age=10000' })).toBe(true);
    expect(stores({ 'Cache-Control': 'no-store', 'CDN-Cache-Control': 'max-age=10000, &&&&&' })).toBe(false);
  });

  it('its no-cache validates every time', () => {
    const lines = { 'CDN-Cache-Control': 'no-cache', 'Cache-Control': 'max-age=10000', Expires: httpDate(10_000) };
    expect(judge(termsOf(lines), { fields: fieldsOf({}), ...context }, receivedMs).use).toBe('revalidate');
  });

  it('its stale directives count', () => {
    const lines = { 'CDN-Cache-Control': 'max-age=1, stale-while-revalidate=60', 'Cache-Control': 'no-store' };
    expect(judge(termsOf(lines), { fields: fieldsOf({}), ...context }, receivedMs + 3000).use).toBe(
      'stale-while-revalidate',
    );
  });
});
