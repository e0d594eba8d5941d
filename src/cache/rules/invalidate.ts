import type { Fields } from '../../fields.ts';
import { sameOriginTarget, type TargetUri } from './reference.ts';

/** Methods known to be safe (RFC 9110 section 9.2.1, RFC 4918, RFC 5323); any other may have changed something. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'SEARCH', 'REPORT', 'QUERY']);

/**
 * Targets in origin-form whose stored responses a response invalidates (RFC 9111 section 4.4): the target URI, and
 * those of the same origin in Location and Content-Location. None for safe methods and for errors.
 */
export function invalidates(
  request: TargetUri & { readonly method: string },
  response: { readonly status: number; readonly fields: Fields },
): string[] {
  if (safe.has(request.method) || response.status < 200 || response.status >= 400) return [];
  const references = [...response.fields.all('location'), ...response.fields.all('content-location')];
  const others = references.map((reference) => sameOriginTarget(reference, request));
  return [...new Set([request.target, ...others.filter((target) => target !== undefined)])];
}
