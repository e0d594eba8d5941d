import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import { type ContentRange, parseContentRange } from '../../semantics/content-range.ts';
import { parseRange, type RangeSpec, spanOf } from '../../semantics/range.ts';
import { validatorOf } from '../../semantics/validators.ts';
import type { Supply } from '../supply.ts';
import type { CacheRequest } from '../types.ts';

/** Whether what the origin gave for this range, and nobody may store, is for the viewer as it is. */
export function answersAlone(
  { fields }: CacheRequest,
  { range, wanted }: { range: string | undefined; wanted: readonly RangeSpec[] | undefined },
  supply: Supply,
): boolean {
  if (supply.status !== 206 && supply.status !== 416) return true;
  // Another version is to be sent whole (RFC 9110 section 13.1.5), and only the viewer's If-Range was not asked.
  const ifRange = range === undefined ? undefined : fields.get('if-range');
  if (ifRange !== undefined && ifRange !== validatorOf(supply.fields).strong) return false;
  if (range === fields.get('range')) return true;
  return supply.status === 416 && (wanted === undefined || wanted.length === 1);
}

/** Whether a 206 holds what the Range field asked of a representation of this length, the first part of it where it names several. */
export function answersRange(range: string, part: ContentRange): boolean {
  const spec = parseRange(range)?.[0];
  const span = spec && spanOf(spec, part.completeLength ?? part.last + 1);
  return span !== undefined && part.first === span.first && part.last === span.last;
}

/**
 * For what is passed on as it came: a 206 must have been asked for, and say which part it is (RFC 9110 sections 14.4 and
 * 15.3.7). A viewer that did not ask takes it for the whole.
 * @throws EddyError `origin-broken`; the body is let go of then.
 */
export function checkPart(range: string | undefined, supply: Supply): void {
  if (supply.status !== 206) return;
  const contentRange = supply.fields.get('content-range');
  const isPart = parseContentRange(contentRange) !== undefined || isMultipart(supply);
  if (range !== undefined && isPart) return;
  discard(supply);
  const wrong = range === undefined ? 'to a request without Range' : `with Content-Range ${contentRange ?? 'missing'}`;
  throw new EddyError('origin-broken', `the origin answered 206 ${wrong}`, { side: 'upstream' });
}

function isMultipart({ fields }: Supply): boolean {
  return /^multipart\/byteranges\b/i.test(fields.get('content-type') ?? '');
}
