import type { Span } from '../../semantics/content-range.ts';
import type { Flight } from '../flight/flight.ts';
import type { Representation } from '../stored/representation.ts';
import type { PieceSpan, Tier } from '../types.ts';

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

/** A reader this far ahead of a writer does not wait for it. */
const farBytes = 4 * 1024 * 1024;

/** Where the bytes of representations are: in tiers, the nearest first, or on their way. */
export class Places {
  readonly #tiers: readonly Tier[];

  constructor(tiers: readonly Tier[]) {
    this.#tiers = tiers;
  }

  locate(representation: Representation, offset: number): Place {
    let next = representation.completeLength ?? Number.MAX_SAFE_INTEGER;
    for (const tier of this.#tiers) {
      const span = tier.find(representation.id, offset);
      if (span === undefined) continue;
      if (span.first <= offset) return { kind: 'tier', tier, span };
      next = Math.min(next, span.first);
    }
    for (const flight of representation.flights) {
      if (flight.take(offset) !== undefined) return { kind: 'flight', flight };
      if (flight.covers(offset) && offset >= flight.position && !isFar(representation, flight, offset))
        return { kind: 'flight', flight };
      if (!flight.ended && flight.first > offset) next = Math.min(next, flight.first);
      else if (!flight.ended && flight.position > offset) next = Math.min(next, flight.position);
    }
    return { kind: 'gap', last: next - 1 };
  }

  /** The first byte of a range that is neither at hand nor on its way; past its last one when there is none. */
  firstGap(representation: Representation, { first, last }: Span): number {
    let offset = first;
    while (offset <= last) {
      const place = this.locate(representation, offset);
      if (place.kind === 'gap') return offset;
      offset = afterPlace(place, offset);
    }
    return offset;
  }

  /** Whether all of first .. last is at hand or on its way, so that no supplier has to be asked. */
  holds(representation: Representation, first: number, last: number): boolean {
    return this.firstGap(representation, { first, last }) > last;
  }

  /** The same without waiting for what a peer may still give: so that no two nodes wait for each other. */
  holdsItself(representation: Representation, first: number, last: number): boolean {
    for (let offset = first; offset <= last; ) {
      const place = this.locate(representation, offset);
      if (place.kind === 'gap') return false;
      if (place.kind === 'flight' && offset >= place.flight.position && place.flight.begunBy !== 'origin') return false;
      offset = afterPlace(place, offset);
    }
    return true;
  }
}

/** Whether a reader there does not wait for that flight, since it can have its bytes otherwise. */
function isFar(representation: Representation, flight: Flight, offset: number): boolean {
  return (
    offset - flight.position > farBytes && representation.strongValidator !== undefined && !representation.rangesIgnored
  );
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
  { places, ram }: { places: Places; ram: Tier },
): Promise<boolean> {
  const to = Math.min(last, first + securedBytesMax - 1);
  for (let offset = first; offset <= to; ) {
    const place = places.locate(representation, offset);
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
