import type { DeliveryDirectives } from './delivery-directives.ts';
import type { Manifest } from './manifest.ts';

/** How many segments beyond the last one may be asked for (RFC 8216bis section 6.2.5.2). */
const segmentsAheadMax = 2;

/** Why a request with these directives is to be refused with 400; undefined where it is not. */
export function refusalOf(
  { newest, live, kind, updateSeconds }: Manifest,
  { msn, part, malformed }: DeliveryDirectives,
): string | undefined {
  if (malformed) return '_HLS_msn and _HLS_part must be whole numbers';
  if (part !== undefined && msn === undefined) return '_HLS_part needs _HLS_msn';
  if (msn === undefined || !live || newest === undefined) return undefined;
  const open = newest.part === undefined ? newest.mediaSequence + 1 : newest.mediaSequence;
  if (msn > open - 1 + segmentsAheadMax) return `_HLS_msn is ${msn}: the last is ${open - 1}`;
  if (part === undefined || kind !== 'll-hls' || msn !== open) return undefined;
  const last = newest.part ?? -1;
  const ahead = updateSeconds < 1 ? Math.ceil(3 / updateSeconds) : 3;
  return part > last + ahead ? `_HLS_part is ${part}: the last is ${last}` : undefined;
}
