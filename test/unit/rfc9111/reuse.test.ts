import { describe, expect, it } from 'vitest';
import { freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import { judge, mayServeOnError, type Verdict } from '../../../src/cache/rules/reuse.ts';
import type { MapPolicy, StoredResponse } from '../../../src/cache/types.ts';
import { fieldsOf, type Lines, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

interface Setting {
  readonly request?: Lines;
  readonly policy?: Partial<MapPolicy>;
  readonly stored?: Partial<StoredResponse>;
}

function judged(
  secondsLater: number,
  cacheControl: string,
  { request = {}, policy = {}, stored = {} }: Setting = {},
): Verdict {
  const asked = { target: '/page', fields: fieldsOf(request), policy: policyWith(policy) };
  const terms = freshnessTerms(storedWith({ 'Cache-Control': cacheControl }, stored), asked);
  return judge(terms, asked, receivedMs + secondsLater * 1000);
}

function onError(
  secondsLater: number,
  cacheControl: string,
  { request = {}, policy = {}, stored = {} }: Setting = {},
): boolean {
  const asked = { target: '/page', fields: fieldsOf(request), policy: policyWith(policy) };
  const terms = freshnessTerms(storedWith({ 'Cache-Control': cacheControl }, stored), asked);
  return mayServeOnError(terms, asked, receivedMs + secondsLater * 1000);
}

const asking = (cacheControl: string): Setting => ({ request: { 'Cache-Control': cacheControl } });

describe('section 4: constructing responses from caches', () => {
  it('reuses what is fresh, validates what is stale', () => {
    expect(judged(3, 'max-age=100000')).toMatchObject({ use: 'fresh', fwd: undefined, ttlSeconds: 99_997 });
    expect(judged(3, 'max-age=2')).toMatchObject({ use: 'revalidate', fwd: 'stale', ttlSeconds: -1 });
    expect(judged(3, 'max-age=10000, must-revalidate').use).toBe('fresh');
  });

  it('5.2.2.4: validates no-cache every time, not where it names fields', () => {
    expect(judged(0, 'max-age=10000, No-CaChE').use).toBe('revalidate');
    expect(judged(0, 'max-age=10000, no-cache="a"').use).toBe('fresh');
  });

  it('4.4: validates what was invalidated', () => {
    expect(judged(0, 'max-age=10000', { stored: { invalidated: true } })).toMatchObject({
      use: 'revalidate',
      fwd: 'stale',
    });
  });

  it('5.2.2.5 and 5.2.2.7: does not reuse what a later response forbade to store', () => {
    expect(judged(0, 'max-age=10000, no-store').use).toBe('revalidate');
    expect(judged(0, 'max-age=10000, private').use).toBe('revalidate');
    expect(judged(0, 'max-age=10000, no-store, must-understand').use).toBe('fresh');
  });
});

describe('section 5.2.1: request directives', () => {
  it('5.2.1.1: max-age', () => {
    expect(judged(0.4, 'max-age=3600', asking('max-age=0'))).toMatchObject({ use: 'revalidate', fwd: 'request' });
    expect(judged(3, 'max-age=3600', asking('max-age=1')).use).toBe('revalidate');
    expect(judged(3, 'max-age=3600', asking('max-age=3')).use).toBe('fresh');
  });

  it('5.2.1.2: max-stale', () => {
    // Without it what has just become stale is stale.
    expect(judged(2, 'max-age=2').use).toBe('revalidate');
    expect(judged(2, 'max-age=2', asking('max-stale=0')).use).toBe('fresh');
    expect(judged(5, 'max-age=2', asking('max-stale=3'))).toMatchObject({ use: 'fresh', ttlSeconds: -3 });
    expect(judged(5.1, 'max-age=2', asking('max-stale=3')).use).toBe('revalidate');
    expect(judged(1e6, 'max-age=2', asking('max-stale')).use).toBe('fresh');
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=2', 'no-cache'])
      expect(judged(5, `max-age=2, ${directive}`, asking('max-stale')).use).toBe('revalidate');
  });

  it('5.2.1.3: min-fresh', () => {
    expect(judged(3, 'max-age=1500', asking('min-fresh=2000'))).toMatchObject({ use: 'revalidate', fwd: 'request' });
    expect(judged(3, 'max-age=1500', asking('min-fresh=1497')).use).toBe('fresh');
  });

  it('5.2.1.4: no-cache, and 5.4: Pragma', () => {
    expect(judged(0, 'max-age=3600', asking('no-cache'))).toMatchObject({ use: 'revalidate', fwd: 'request' });
    expect(judged(0, 'max-age=3600', { request: { Pragma: 'no-cache' } }).use).toBe('revalidate');
    expect(judged(0, 'max-age=3600', { request: { Pragma: 'foo', 'Cache-Control': 'bar' } }).use).toBe('fresh');
  });

  it('5.2.1.5: no-store does not keep a stored response from being used', () => {
    expect(judged(0, 'max-age=3600', asking('no-store')).use).toBe('fresh');
  });

  it('counts only where the map honours it', () => {
    for (const directive of ['no-cache', 'max-age=0', 'min-fresh=9999'])
      expect(judged(1, 'max-age=60', { ...asking(directive), policy: { requestDirectives: false } }).use).toBe('fresh');
    expect(judged(5, 'max-age=2', { ...asking('max-stale'), policy: { requestDirectives: false } }).use).toBe(
      'revalidate',
    );
  });
});

describe('section 4.2.4: serving stale responses', () => {
  it('may serve stale when the origin fails, within the time the map allows', () => {
    expect(onError(5, 'max-age=2')).toBe(true);
    expect(onError(602, 'max-age=2')).toBe(true);
    expect(onError(603, 'max-age=2')).toBe(false);
    expect(onError(5, 'max-age=2', { policy: { staleIfErrorSeconds: 0 } })).toBe(false);
  });

  it.each(['must-revalidate', 'proxy-revalidate', 'no-cache', 's-maxage=2', 'no-store', 'private'])(
    'must not where %s forbids it',
    (directive) => {
      expect(onError(5, `max-age=2, ${directive}, stale-if-error=60`, asking('max-stale'))).toBe(false);
    },
  );

  it('must not serve what was invalidated', () => {
    expect(onError(0, 'max-age=60', { stored: { invalidated: true } })).toBe(false);
  });

  it('may where the request accepts it: 5.2.1.2', () => {
    expect(onError(5000, 'max-age=2', asking('max-stale=5000'))).toBe(true);
    expect(onError(5000, 'max-age=2', { ...asking('max-stale=5000'), policy: { requestDirectives: false } })).toBe(
      false,
    );
  });

  it('does not where the request wants a validated response: 5.2.1.4', () => {
    expect(onError(5, 'max-age=2', asking('no-cache'))).toBe(false);
    expect(onError(1, 'max-age=60', asking('min-fresh=60'))).toBe(true);
  });
});
