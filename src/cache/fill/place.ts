import type { Span } from '../../semantics/content-range.ts';
import type { Flight } from '../flight/flight.ts';
import type { Representation } from '../stored/representation.ts';
import type { PieceSpan, Tier } from '../types.ts';
import type { Filler } from './filler.ts';

/** Where the byte at an offset is: in a tier, in or soon in a flight, or nowhere as far as `last`. */
export type Place =
  | { readonly kind: 'tier'; readonly tier: Tier; readonly span: PieceSpan }
  | { readonly kind: 'flight'; readonly flight: Flight }
  | { readonly kind: 'gap'; readonly last: number };

/** The first offset after `offset` that may be in another place. */
export function afterPlace(place: Exclude<Place, { kind: 'gap' }>, offset: number): number {
  if (place.kind === 'tier') return place.span.first + place.span.length;
  const { flight } = place;
  const bytes = flight.take(offset);
  if (flight.ended || offset < flight.position) return offset + (bytes?.length ?? 1);
  return flight.last === undefined ? Number.MAX_SAFE_INTEGER : flight.last + 1;
}

/** How much of what cannot be fetched again is read before an answer begins. */
const securedBytesMax = 4 * 1024 * 1024;

/**
 * Reads a range, up to a bound, from the tiers that may fail to give it, and keeps it in RAM: for what cannot be fetched
 * again once an answer has begun. False when some of it is lost.
 */
export async function secure(
  representation: Representation,
  { first, last }: Span,
  { filler, ram }: { filler: Filler; ram: Tier },
): Promise<boolean> {
  const to = Math.min(last, first + securedBytesMax - 1);
  for (let offset = first; offset <= to; ) {
    const place = filler.locate(representation, offset);
    if (place.kind === 'gap') return false;
    if (place.kind === 'tier' && place.tier !== ram) {
      const piece = await place.tier.read(representation.id, place.span.first);
      if (piece === undefined) return false;
      ram.put(representation.id, place.span.first, piece);
    }
    offset = afterPlace(place, offset);
  }
  return true;
}
