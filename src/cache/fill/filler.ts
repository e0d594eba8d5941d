import { discard } from '../../discard.ts';
import { asEddyError, EddyError } from '../../errors.ts';
import type { Span } from '../../semantics/content-range.ts';
import { sameRepresentation } from '../../semantics/validators.ts';
import { Flight } from '../flight/flight.ts';
import { Holding } from '../flight/held-pieces.ts';
import type { Representation } from '../stored/representation.ts';
import type { Supplier, Supply, SupplyOptions, SupplyRequest } from '../supply.ts';
import type { CacheRequest, Tier } from '../types.ts';
import { type Gap, gapEnd, gapRequest, isRestOf, partOf } from './gap.ts';
import { afterPlace, type Places } from './places.ts';
import { type KeptPiece, TierWriter } from './tier-writer.ts';

/** What all flights hold for readers whom no tier may serve. */
const heldBytesMax = 64 * 1024 * 1024;
/** How far ahead of a reader gaps are fetched, in parallel. */
const lookaheadBytes = 4 * 1024 * 1024;

interface FillerOptions {
  readonly places: Places;
  /** Nearest first. */
  readonly tiers: readonly Tier[];
  /** In the order they are asked. */
  readonly suppliers: readonly Supplier[];
  readonly onKept?: ((piece: KeptPiece) => void) | undefined;
  /** The origin has another version: `supply` is a whole answer to use, or undefined when only the news is known. */
  readonly onChanged: (representation: Representation, request: CacheRequest, supply: Supply | undefined) => void;
  /** A body ended: the complete length became known, or what is stored can never be completed. */
  readonly onSettled: (representation: Representation, outcome: { completeLength: number } | 'broken') => void;
}

interface FillOptions extends SupplyOptions {
  readonly peersForbidden?: boolean | undefined;
  /** Whether an answer of a peer is what was asked for; else the next supplier is asked. */
  readonly fits?: (supply: Supply) => boolean;
}

/** Fills the gaps of representations: finds what is missing and brings exactly that, once. */
export class Filler {
  readonly #options: FillerOptions;
  readonly #holding = new Holding(heldBytesMax);
  readonly #tierWriter: TierWriter;

  constructor(options: FillerOptions) {
    this.#options = options;
    this.#tierWriter = new TierWriter(options.tiers, options.onKept);
  }

  /**
   * Opens flights for the gaps of a range, in parallel, no further than the look-ahead.
   * Returns the offset at which it wants to be called again: half a look-ahead before the end of what it planned.
   */
  fill(representation: Representation, range: Span, request: CacheRequest): number {
    const to = Math.min(range.last, range.first + lookaheadBytes - 1);
    let offset = range.first;
    while (offset <= to) {
      const place = this.#options.places.locate(representation, offset);
      if (place.kind === 'gap') {
        const last = gapEnd({ first: offset, last: Math.min(place.last, range.last) });
        this.#open(representation, { first: offset, last }, request);
        offset = last + 1;
      } else offset = afterPlace(place, offset);
    }
    return offset > range.last ? offset : Math.max(range.first + 1, offset - lookaheadBytes / 2);
  }

  /** Makes the body of a response that was just stored a flight of its representation. */
  receive(representation: Representation, supply: Supply, range: { first: number; last: number | undefined }): void {
    const flight = this.#flight(representation, range);
    flight.begin(range, supply.source);
    void this.#pump(representation, flight, supply);
  }

  /** Asks the suppliers in order; what a peer gives counts only if it fits, for the word of the origin decides. */
  async supply(request: SupplyRequest, options: FillOptions): Promise<Supply> {
    for (const supplier of this.#options.suppliers) {
      if (supplier.name === 'peer' && options.peersForbidden === true) continue;
      const supply = await ask(supplier, request, options);
      if (supply === undefined) continue;
      if (supply.source !== 'peer' || options.fits?.(supply) !== false) return supply;
      discard(supply);
    }
    throw new EddyError('origin-refused', `no supplier for ${request.target}`, { side: 'internal' });
  }

  #flight(representation: Representation, range: { first: number; last: number | undefined }): Flight {
    const keeper = this.#tierWriter.of(representation);
    const flight = new Flight(range, { keeper, holding: this.#holding });
    representation.begin(flight);
    return flight;
  }

  #open(representation: Representation, range: Span, request: CacheRequest): void {
    for (const other of representation.flights) if (other.covers(range.first)) other.truncate(range.first);
    const flight = this.#flight(representation, range);
    void this.#fetch(representation, flight, { ...range, request });
  }

  async #fetch(representation: Representation, flight: Flight, gap: Gap): Promise<void> {
    try {
      const asked = gapRequest(representation, gap);
      const supply = await this.supply(asked, {
        signal: flight.controller.signal,
        peersForbidden: gap.request.peersForbidden,
        fits: (given) => isRestOf(representation, given, gap),
      });
      const range = this.#accept(representation, supply, gap);
      flight.begin(range, supply.source);
      await this.#pump(representation, flight, supply);
    } catch (error) {
      flight.fail(asEddyError(error));
      representation.settle();
    }
  }

  /** The range that the supply really holds of this representation; throws when it holds another version or none. */
  #accept(representation: Representation, supply: Supply, gap: Gap): Span {
    const { completeLength } = representation;
    const range = partOf(representation, supply);
    if (range !== undefined) {
      if (isRestOf(representation, supply, gap)) return range;
      discard(supply);
      const got = `asked for bytes ${gap.first}-${gap.last}, got ${range.first}-${range.last}`;
      throw new EddyError('origin-broken', got, { side: 'upstream' });
    }
    const same = sameRepresentation(representation.stored.fields, supply.fields);
    if (supply.status === 200 && same && completeLength !== undefined) {
      representation.rangesIgnored = true;
      return { first: 0, last: completeLength - 1 };
    }
    if (supply.status >= 500) {
      discard(supply);
      throw new EddyError('origin-status', `the origin answered ${supply.status} to a range`, {
        side: 'upstream',
      });
    }
    const whole = supply.status === 200;
    if (!whole) discard(supply);
    this.#options.onChanged(representation, gap.request, whole ? supply : undefined);
    throw new EddyError('origin-changed', `${representation.target} changed at the origin while it was read`, {
      side: 'upstream',
    });
  }

  async #pump(representation: Representation, flight: Flight, { body, givers, onTaken }: Supply): Promise<void> {
    const planned = flight.last;
    representation.givenBy(givers ?? []);
    try {
      for await (const chunk of body) {
        const from = flight.position;
        flight.append(chunk);
        onTaken?.(chunk);
        if (flight.position > from) representation.unserved.add(from, flight.position - 1, flight.source);
        // Only a flight that gave its rest away stops early; a full one reads on, to the end of the message.
        if (flight.ended || (flight.full && flight.last !== planned)) break;
        await representation.pace(flight);
      }
      if (!flight.ended && flight.last !== undefined && !flight.full)
        throw new EddyError('origin-broken', `body ended at byte ${flight.position}, not ${flight.last}`, {
          side: 'upstream',
        });
      flight.end();
      if (planned === undefined) this.#options.onSettled(representation, { completeLength: flight.position });
    } catch (error) {
      flight.fail(asEddyError(error));
    }
    representation.givenBy(givers ?? []);
    if (flight.error !== undefined && cannotBeCompleted(representation, flight)) {
      this.#options.onSettled(representation, 'broken');
    }
    representation.settle();
  }
}

/** Whether the rest of what broke off cannot be had later: nothing says that it is of this version, or the origin has another. */
function cannotBeCompleted({ strongValidator, completeLength }: Representation, { source, error }: Flight): boolean {
  if (strongValidator === undefined || completeLength === undefined) return true;
  return source === 'origin' && error?.code === 'origin-changed';
}

/** A peer that fails is passed over, whatever it was: the next supplier can always be asked. */
async function ask(supplier: Supplier, request: SupplyRequest, options: FillOptions): Promise<Supply | undefined> {
  try {
    return await supplier.supply(request, options);
  } catch (error) {
    if (supplier.name !== 'peer' || options.signal.aborted) throw error;
    return undefined;
  }
}
