import { describe, expect, it } from 'vitest';
import { invalidates } from '../../../src/cache/rules/invalidate.ts';
import { RecentPurges } from '../../../src/cache/stored/recent-purges.ts';
import { Fields } from '../../../src/fields.ts';
import { fieldsOf, type Lines } from '../../support/stored-response.ts';

function invalidated(method: string, status = 200, lines: Lines = {}, authority = 'edge.example'): string[] {
  return invalidates({ method, target: '/a/b?c', scheme: 'http', authority }, { status, fields: fieldsOf(lines) });
}

describe('section 4.4: invalidating stored responses', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'M-SEARCH', 'FOO'])('%s invalidates its target', (method) => {
    for (const status of [200, 204, 299, 301, 303, 399]) expect(invalidated(method, status)).toEqual(['/a/b?c']);
  });

  it('an error invalidates nothing, nor does an interim response', () => {
    for (const status of [101, 400, 404, 500, 503]) expect(invalidated('POST', status)).toEqual([]);
  });

  it('a safe method invalidates nothing', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE']) expect(invalidated(method)).toEqual([]);
  });

  it('so do Location and Content-Location', () => {
    const lines = { Location: 'c', 'Content-Location': 'http://EDGE.example:80/d?e=f#g' };
    expect(invalidated('POST', 201, lines)).toEqual(['/a/b?c', '/a/c', '/d?e=f']);
    expect(invalidated('PUT', 200, { 'Content-Location': '/a/b?c' })).toEqual(['/a/b?c']);
  });

  it('but never those of another origin', () => {
    for (const location of [
      'http://other.example/x',
      'https://edge.example/x',
      'http://edge.example:81/x',
      '//other.example/x',
      'mailto:x',
      'http://[',
      '',
    ])
      expect(
        invalidated('POST', 200, { Location: location }).filter((target) => target !== '/a/b?c' && target !== '/a/b'),
      ).toEqual([]);
  });

  it('an authority that is none still invalidates the target', () => {
    expect(invalidated('POST', 200, { Location: '/x' }, 'a b')).toEqual(['/a/b?c']);
  });
});

describe('what came from before a purge', () => {
  it('is known by its Age, and in doubt it is not: Date, which that may be counted from, has whole seconds too', () => {
    const purges = new RecentPurges(() => 10_000);
    purges.add('all', { policies: [], atMs: 10_000 });
    const given = (age: number) => ({ fields: Fields.of({ Age: String(age) }), responseTimeMs: 10_100 });
    expect([0, 1, 2, 3].map((age) => purges.outdates('m /a', given(age)))).toEqual([false, false, true, true]);
  });
});

describe('what came from before an invalidation', () => {
  const given = (responseTimeMs: number, age: number) => ({ fields: Fields.of({ Age: String(age) }), responseTimeMs });

  it('is known by its Age, and in doubt it is', () => {
    const purges = new RecentPurges(() => 10_000);
    purges.invalidated('m /a');
    expect(purges.outdates('m /a', given(12_000, 2))).toBe(true);
    expect(purges.outdates('m /a', given(12_000, 1))).toBe(false);
    expect(purges.outdates('m /b', given(12_000, 5))).toBe(false);
    expect(purges.names('m /a', { fields: Fields.empty, requestTimeMs: 9_999 })).toBe(true);
    expect(purges.names('m /a', { fields: Fields.empty, requestTimeMs: 10_000 })).toBe(false);
  });

  it('is nothing else, however many there were', () => {
    const purges = new RecentPurges(() => 1_000_000);
    for (let i = 0; i < 10_000; i++) purges.invalidated(`m /beacon?${i}`);
    expect(purges.outdates('m /a', given(1_002_000, 60))).toBe(false);
  });
});
