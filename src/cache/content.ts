import { Buffer } from 'node:buffer';
import { EddyError } from '../errors.ts';
import type { Filler } from './filler.ts';
import type { Flight } from './flight.ts';
import type { Place } from './place.ts';
import type { Reader } from './reader.ts';
import type { RecentView } from './recent-view.ts';
import type { Representation } from './representation.ts';
import type { CacheRequest, Content, Source, Tier } from './types.ts';

/** Largest answer that leaves in one piece from RAM; a longer one is read on as the socket takes it. */
export const peekBytesMax = 8 * 1024 * 1024;
/** Largest answer that is gathered before it is asked for. */
export const gatherBytesMax = 1024 * 1024;
/** A reader that gets nowhere this many times in a row gives up. */
const failuresMax = 3;
const fruitlessMax = 64;

export interface ContentOptions {
  readonly filler: Filler;
  readonly ram: Tier;
  readonly views: RecentView;
  readonly onServed: (source: Source, bytes: number) => void;
}

/** The bytes of one representation for one request: RAM, disk, what is in flight, and the gaps fetched on the way. */
export class RepresentationContent implements Content {
  readonly #representation: Representation;
  readonly #request: CacheRequest;
  readonly #options: ContentOptions;
  /** What `gather` found. */
  #gathered: { readonly first: number; readonly last: number; readonly buffers: readonly Buffer[] } | undefined;

  /** Pieces of the last `peek` that nobody else holds. Those of earlier ones are for the collector: not all transports release. */
  #sole: Buffer[] = [];

  constructor(representation: Representation, request: CacheRequest, options: ContentOptions) {
    this.#representation = representation;
    this.#request = request;
    this.#options = options;
  }

  get completeLength(): number | undefined {
    return this.#representation.completeLength;
  }

  get fetchedHere(): boolean {
    const { fetched, givers } = this.#representation;
    return fetched && givers.size === 0;
  }

  get representation(): Representation {
    return this.#representation;
  }

  get request(): CacheRequest {
    return this.#request;
  }

  /** Whether a byte that turns out to be lost can be fetched again, or none can be. */
  get dependable(): boolean {
    const { strongValidator, completeLength, flights } = this.#representation;
    if (strongValidator !== undefined || this.#gathered !== undefined || this.#request.method === 'HEAD') return true;
    return completeLength === undefined || completeLength === 0 || flights.size > 0;
  }

  /** Whether first .. last is all in RAM, and not too long to be kept for the `peek` that follows. */
  gather(first: number, last: number): boolean {
    if (last - first >= gatherBytesMax) return false;
    const buffers = this.#fromRam(first, last);
    if (buffers !== undefined) this.#gathered = { first, last, buffers };
    return buffers !== undefined;
  }

  peek(first: number, last: number): readonly Buffer[] | undefined {
    if (last - first >= peekBytesMax) return undefined;
    const gathered = this.#gathered;
    const known = gathered?.first === first && gathered.last === last;
    const buffers = known ? gathered.buffers : this.#fromRam(first, last);
    if (buffers === undefined) return this.#fromTiers(first, last);
    this.#given('ram', first, last);
    return buffers;
  }

  release(): void {
    // At once, and not by the collector: what comes next gets memory that is still in the CPU's cache.
    for (const { buffer } of this.#sole) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    this.#sole = [];
  }

  sourceOf(first: number): Source | undefined {
    const unserved = this.#representation.unserved.sourceOf(first);
    if (unserved !== undefined) return unserved;
    if (this.#gathered?.first === first) return 'ram';
    const place = this.#options.filler.locate(this.#representation, first);
    if (place.kind === 'tier') return place.tier.name;
    if (place.kind === 'flight') return first < place.flight.position ? 'ram' : place.flight.source;
    return undefined;
  }

  async *read(first: number, last: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const reader = this.#representation.join({ first, last }, signal);
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

  #fromRam(first: number, last: number): Buffer[] | undefined {
    const { ram, views } = this.#options;
    const { id } = this.#representation;
    const buffers: Buffer[] = [];
    for (let offset = first; offset <= last; ) {
      const span = ram.find(id, offset);
      if (span === undefined || span.first > offset) return undefined;
      const piece = ram.read(id, span.first);
      if (!Buffer.isBuffer(piece)) return undefined;
      // A view costs more than all the rest of this.
      const whole = offset === span.first && last + 1 - span.first >= piece.length;
      const slice = whole ? piece : views.of(piece, offset - span.first, last + 1 - span.first);
      buffers.push(slice);
      offset += slice.length;
    }
    return buffers;
  }

  /** From any tier that gives what it has without waiting. */
  #fromTiers(first: number, last: number): Buffer[] | undefined {
    const { filler, ram } = this.#options;
    const { id } = this.#representation;
    const found: { readonly tier: Tier; readonly first: number; readonly bytes: Buffer }[] = [];
    const sole: Buffer[] = [];
    for (let offset = first; offset <= last; ) {
      const place = filler.locate(this.#representation, offset);
      if (place.kind !== 'tier') return undefined;
      const { tier, span } = place;
      // A read that has begun is joined by the reader that comes next.
      const piece = tier.read(id, span.first);
      if (!Buffer.isBuffer(piece)) return undefined;
      if (tier !== ram) ram.put(id, span.first, piece);
      if (tier.isSole?.(piece) && ram.find(id, span.first)?.first !== span.first) sole.push(piece);
      const bytes = piece.subarray(offset - span.first, last + 1 - span.first);
      found.push({ tier, first: offset, bytes });
      offset += bytes.length;
    }
    this.#sole = sole;
    for (const each of found) this.#given(each.tier.name, each.first, each.first + each.bytes.length - 1);
    return found.map(({ bytes }) => bytes);
  }

  #finished(reader: Reader): boolean {
    const { completeLength } = this.#representation;
    if (completeLength !== undefined && reader.offset >= completeLength) return true;
    return reader.last !== undefined && reader.offset > reader.last;
  }

  /** The next bytes from wherever they are; undefined when the place has to be looked for again. */
  async #next(reader: Reader): Promise<Buffer | undefined> {
    this.#lookAhead(reader);
    const place = this.#options.filler.locate(this.#representation, reader.offset);
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
    this.#given(tier.name, reader.offset, reader.offset + bytes.length - 1);
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
    const bytes = this.#cut(here, reader, reader.offset);
    this.#given('ram', reader.offset, reader.offset + bytes.length - 1);
    return bytes;
  }

  /** Counts what a viewer gets: for the supplier that brought it the first time, for the tier after that. */
  #given(tier: Source, first: number, last: number): void {
    // What a peer is given stays to be given to a viewer.
    if (this.#request.peersForbidden === true || this.#request.ahead === true) return;
    const { onServed } = this.#options;
    const { unserved } = this.#representation;
    const rest = unserved.empty ? last - first + 1 : unserved.give(first, last, onServed);
    if (rest > 0) onServed(tier, rest);
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
        retryable: true,
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
