import { describe, expect, it } from 'vitest';
import { invalidates } from '../../../src/cache/invalidate.ts';
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
