import { describe, expect, it } from 'vitest';
import { freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import { judge, mayServeOnError } from '../../../src/cache/rules/reuse.ts';
import type { MapPolicy } from '../../../src/cache/types.ts';
import { fieldsOf, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

function asked(cacheControl: string | undefined, policy: Partial<MapPolicy> = {}) {
  const fields = fieldsOf(cacheControl === undefined ? {} : { 'Cache-Control': cacheControl });
  return { target: '/page', fields, policy: policyWith(policy) };
}

type About = [secondsLater: number, stored: string, request?: string, policy?: Partial<MapPolicy>];

function questionOf(...[secondsLater, stored, request, policy]: About): Parameters<typeof judge> {
  const by = asked(request, policy);
  return [freshnessTerms(storedWith({ 'Cache-Control': stored }), by), by, receivedMs + secondsLater * 1000];
}

const use = (...about: About): string => judge(...questionOf(...about)).use;
const onError = (...about: About): boolean => mayServeOnError(...questionOf(...about));

describe('RFC 5861 section 3: stale-while-revalidate', () => {
  it('serves stale within its window, not after it', () => {
    const cacheControl = 'max-age=1, stale-while-revalidate=4';
    expect(use(0.5, cacheControl)).toBe('fresh');
    expect(use(3, cacheControl)).toBe('stale-while-revalidate');
    expect(use(5, cacheControl)).toBe('stale-while-revalidate');
    expect(use(5.1, cacheControl)).toBe('revalidate');
  });

  it('takes the time of the map where the response says none', () => {
    const policy = { staleWhileRevalidateSeconds: 10 };
    expect(use(3, 'max-age=1')).toBe('revalidate');
    expect(use(3, 'max-age=1', undefined, policy)).toBe('stale-while-revalidate');
    expect(use(3, 'max-age=1, stale-while-revalidate=0', undefined, policy)).toBe('revalidate');
    expect(use(3, 'max-age=1, stale-while-revalidate=x', undefined, policy)).toBe('revalidate');
  });

  it('RFC 9111 section 4.2.4: not where stale is forbidden', () => {
    for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=1', 'no-cache'])
      expect(use(3, `max-age=1, stale-while-revalidate=60, ${directive}`)).toBe('revalidate');
  });

  it('RFC 9111 section 5.2.1: not where the request does not want stale', () => {
    for (const directive of ['no-cache', 'max-age=60', 'min-fresh=1'])
      expect(use(3, 'max-age=1, stale-while-revalidate=60', directive)).toBe('revalidate');
  });
});

describe('RFC 5861 section 4: stale-if-error', () => {
  it('serves stale within its window, not after it, whatever the map says', () => {
    const cacheControl = 'max-age=2, stale-if-error=60';
    expect(onError(62, cacheControl, undefined, { staleIfErrorSeconds: 0 })).toBe(true);
    expect(onError(63, cacheControl)).toBe(false);
  });

  it('in the request counts too', () => {
    expect(onError(3000, 'max-age=2', 'stale-if-error=3000')).toBe(true);
    expect(onError(3003, 'max-age=2', 'stale-if-error=3000')).toBe(false);
  });
});
