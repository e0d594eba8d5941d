import type { Buffer } from 'node:buffer';
import { EddyError } from '../../errors.ts';
import { PieceMemory } from '../../piece-memory.ts';
import type { Filler } from '../fill/filler.ts';
import type { Place, Places } from '../fill/places.ts';
import type { Flight } from '../flight/flight.ts';
import type { Reader } from '../flight/reader.ts';
import type { Representation } from '../stored/representation.ts';
import type { CacheRequest, Source, Tier } from '../types.ts';

/** A reader that gets nowhere this many times in a row gives up. */
const failuresMax = 3;
const fruitlessMax = 64;

interface ContentReadOptions {
  readonly places: Places;
  readonly filler: Filler;
  readonly ram: Tier;
  /** first .. last goes to the viewer, from there. */
  readonly onGiven: (source: Source, first: number, last: number) => void;
}

/** One viewer reading a representation: from the tiers, from what is in flight, and from the gaps it opens on the way. */
export class ContentRead {
  readonly #representation: Representation;
  readonly #request: CacheRequest;
  readonly #options: ContentReadOptions;

  constructor(representation: Representation, request: CacheRequest, options: ContentReadOptions) {
    this.#representation = representation;
    this.#request = request;
    this.#options = options;
  }

  /**
   * first .. last in order, each run of bytes as soon as it is there, its memory held for who gets it. To the end of the
   * representation without `last`.
   */
  async *bytes(
    range: { first: number; last: number | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<Buffer, void, undefined> {
    const reader = this.#representation.join(range, signal);
    try {
      while (!this.#finished(reader)) {
        reader.throwIfAborted();
        const bytes = await this.#next(reader);
        if (bytes === undefined) continue;
        this.#representation.advance(reader, reader.offset + bytes.length);
        yield bytes;
      }
    } finally {
      this.#representation.leave(reader);
    }
  }

  #finished(reader: Reader): boolean {
    const { completeLength } = this.#representation;
    if (completeLength !== undefined && reader.offset >= completeLength) return true;
    return reader.last !== undefined && reader.offset > reader.last;
  }

  /** The next bytes from wherever they are; undefined when the place has to be looked for again. */
  async #next(reader: Reader): Promise<Buffer | undefined> {
    this.#lookAhead(reader);
    const place = this.#options.places.locate(this.#representation, reader.offset);
    if (place.kind === 'tier') return this.#fromTier(reader, place);
    if (place.kind === 'flight') return this.#fromFlight(reader, place.flight);
    this.#reopen(reader);
    return undefined;
  }

  async #fromTier(reader: Reader, place: Extract<Place, { kind: 'tier' }>): Promise<Buffer | undefined> {
    const { tier, span } = place;
    const { ram } = this.#options;
    const piece = await tier.read(this.#representation.id, span.first);
    if (piece === undefined) return this.#fruitless(reader);
    if (tier !== ram) ram.put(this.#representation.id, span.first, piece);
    const bytes = this.#cut(piece, reader, span.first);
    this.#options.onGiven(tier.name, reader.offset, reader.offset + bytes.length - 1);
    return bytes;
  }

  async #fromFlight(reader: Reader, flight: Flight): Promise<Buffer | undefined> {
    const here = flight.take(reader.offset);
    if (here === undefined) {
      reader.fruitless = 0;
      await flight.wait(reader);
      if (flight.error !== undefined && reader.offset >= flight.position) this.#failed(reader, flight.error);
      return undefined;
    }
    PieceMemory.of(here)?.hold();
    const bytes = this.#cut(here, reader, reader.offset);
    this.#options.onGiven('ram', reader.offset, reader.offset + bytes.length - 1);
    return bytes;
  }

  #cut(piece: Buffer, reader: Reader, pieceFirst: number): Buffer {
    const end = reader.last === undefined ? piece.length : Math.min(piece.length, reader.last + 1 - pieceFirst);
    return piece.subarray(reader.offset - pieceFirst, end);
  }

  /** Fetches coming gaps before the reader stands in front of them. */
  #lookAhead(reader: Reader): void {
    const { completeLength, strongValidator } = this.#representation;
    if (completeLength === undefined || strongValidator === undefined || reader.offset < reader.plannedTo) return;
    const last = Math.min(reader.last ?? completeLength - 1, completeLength - 1);
    reader.plannedTo = this.#options.filler.fill(this.#representation, { first: reader.offset, last }, this.#request);
  }

  #failed(reader: Reader, error: EddyError): void {
    // Given up because others left: this reader came just then, and opens the gap anew.
    if (error.code === 'aborted') return;
    reader.failures += 1;
    // What came from a peer that gives wrong bytes is not completed with right ones.
    const spoilt = error.code === 'origin-changed' || error.code === 'peer-corrupt';
    const hopeless = spoilt || this.#representation.strongValidator === undefined;
    if (hopeless || reader.failures >= failuresMax) throw error;
  }

  #reopen(reader: Reader): void {
    const { completeLength, strongValidator } = this.#representation;
    if (completeLength === undefined || strongValidator === undefined)
      throw new EddyError('origin-broken', `bytes from ${reader.offset} on are gone and cannot be fetched alone`, {
        side: 'upstream',
      });
    reader.plannedTo = reader.offset;
    this.#fruitless(reader);
  }

  /** Counts a look that found nothing, so that a fault of ours ends in an error and not in a busy loop. */
  #fruitless(reader: Reader): undefined {
    reader.fruitless += 1;
    if (reader.fruitless <= fruitlessMax) return undefined;
    const { target } = this.#representation;
    throw new EddyError('internal', `no progress at byte ${reader.offset} of ${target}`, { side: 'internal' });
  }
}
