import type { Fields } from '../../fields.ts';
import { parseContentRange } from '../../semantics/content-range.ts';
import { firstAsked } from '../range.ts';

/**
 * Whether an answer from a peer is one that the request can use. Only the origin may say that a representation changed
 * or that it fails: then retries, stale answers and what to drop are decided on its word. So with If-Range, nothing but
 * a part under that very validator will do, and it begins where it was asked to.
 */
export function isUseful(asked: Fields, answer: { readonly status: number; readonly fields: Fields }): boolean {
  const { status, fields } = answer;
  if (status >= 400 && status !== 404 && status !== 410) return false;
  const validator = asked.get('if-range');
  const range = asked.get('range');
  if (validator !== undefined && range !== undefined) {
    if (status !== 206 || (fields.get('etag') ?? fields.get('last-modified')) !== validator) return false;
  }
  if (status !== 206) return true;
  if (range === undefined) return false;
  return range.startsWith('bytes=-') || parseContentRange(fields.get('content-range'))?.first === firstAsked(range);
}
