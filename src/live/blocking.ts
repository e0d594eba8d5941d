import type { DeliveryDirectives } from './delivery-directives.ts';
import type { Manifest } from './manifest.ts';
import type { Wanted } from './waiters.ts';

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

/** Whether a playlist has that segment or part, or a later one, or will get no more (RFC 8216bis section 6.2.5.2). */
export function has({ newest, live }: Manifest, { msn, part }: Wanted): boolean {
  if (!live) return true;
  if (newest === undefined) return false;
  if (newest.mediaSequence > msn) return true;
  if (newest.mediaSequence < msn) return false;
  return newest.part === undefined || (part !== undefined && newest.part >= part);
}

/** What the next version has that this one has not: the part or segment after the newest. */
export function nextOf({ kind, newest }: Manifest): Wanted | undefined {
  if (newest === undefined) return undefined;
  const { mediaSequence, part } = newest;
  if (kind !== 'll-hls') return { msn: mediaSequence + 1, part: undefined };
  return part === undefined ? { msn: mediaSequence + 1, part: 0 } : { msn: mediaSequence, part: part + 1 };
}
