import { describe, expect, it } from 'vitest';
import { freshnessTerms } from '../../../src/cache/rules/freshness.ts';
import { judge } from '../../../src/cache/rules/reuse.ts';
import { fieldsOf, policyWith, receivedMs, storedWith } from '../../support/stored-response.ts';

function use(secondsLater: number, stored: string, request: string): string {
  const asked = { target: '/page', fields: fieldsOf({ 'Cache-Control': request }), policy: policyWith() };
  const terms = freshnessTerms(storedWith({ 'Cache-Control': stored }), asked);
  return judge(terms, asked, receivedMs + secondsLater * 1000).use;
}

describe('RFC 8246 section 2: immutable', () => {
  it('a fresh immutable response is not validated for a reload', () => {
    expect(use(3, 'max-age=10000, immutable', 'max-age=0')).toBe('fresh');
    expect(use(3, 'max-age=10000', 'max-age=0')).toBe('revalidate');
  });

  it('but for no-cache, and once it is stale', () => {
    expect(use(3, 'max-age=10000, immutable', 'no-cache')).toBe('revalidate');
    expect(use(3, 'max-age=2, immutable', 'max-age=0')).toBe('revalidate');
    expect(use(3, 'max-age=2, immutable', 'x')).toBe('revalidate');
  });
});
