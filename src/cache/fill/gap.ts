import { Fields } from '../../fields.ts';
import { type ContentRange, parseContentRange, type Span } from '../../semantics/content-range.ts';
import { sameRepresentation } from '../../semantics/validators.ts';
import { requestFieldsForOrigin } from '../rules/forwarded-fields.ts';
import type { Representation } from '../stored/representation.ts';
import type { Supply, SupplyRequest } from '../supply.ts';
import type { CacheRequest } from '../types.ts';

/** Bytes of a representation that are missing, and for whom they are fetched. */
export interface Gap extends Span {
  readonly request: CacheRequest;
}

/** Longest range asked of a supplier at once, beyond what one viewer asked for: nothing unneeded is ever fetched. */
const windowBytes = 1024 * 1024;
/** A gap up to this long is fetched in one request. */
const gapBytesMax = 4 * 1024 * 1024;

/** The part of this very representation that a supply holds; undefined when it is another version or no part. */
export function partOf(representation: Representation, supply: Supply): ContentRange | undefined {
  const same = sameRepresentation(representation.stored.fields, supply.fields);
  if (supply.status !== 206 || !same) return undefined;
  const range = parseContentRange(supply.fields.get('content-range'));
  return range?.completeLength === representation.completeLength ? range : undefined;
}

/** Whether it is of this representation, begins where the gap does, and goes no further. */
export function isRestOf(representation: Representation, supply: Supply, gap: Span): boolean {
  const range = partOf(representation, supply);
  return range !== undefined && range.first === gap.first && range.last <= gap.last;
}

/** Of a long gap one aligned window is taken, so that neighbouring readers meet at the same borders. */
export function gapEnd(gap: Span): number {
  if (gap.last - gap.first < gapBytesMax) return gap.last;
  return Math.min(gap.last, (Math.floor(gap.first / windowBytes) + 1) * windowBytes - 1);
}

/** Asks for exactly a gap, and only if it is still of the same version. */
export function gapRequest(representation: Representation, gap: Gap): SupplyRequest {
  const toEnd = gap.last + 1 === representation.completeLength;
  const raw = [...requestFieldsForOrigin(gap.request.fields).raw];
  raw.push('Range', toEnd ? `bytes=${gap.first}-` : `bytes=${gap.first}-${gap.last}`);
  if (representation.strongValidator !== undefined) raw.push('If-Range', representation.strongValidator);
  return { method: 'GET', target: representation.target, fields: new Fields(raw), map: gap.request.policy.name };
}
