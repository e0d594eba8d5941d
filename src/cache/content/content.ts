import { Buffer } from 'node:buffer';
import { PieceMemory } from '../../piece-memory.ts';
import type { Verdict } from '../../semantics/preconditions.ts';
import type { Filler } from '../fill/filler.ts';
import type { Places } from '../fill/places.ts';
import type { Representation } from '../stored/representation.ts';
import type { CacheRequest, Content, Source, Tier } from '../types.ts';
import { ContentRead } from './content-read.ts';
import type { RecentView } from './recent-view.ts';

/** Largest answer that leaves in one piece from RAM; a longer one is read on as the socket takes it. */
export const peekBytesMax = 8 * 1024 * 1024;
/** Largest answer that is gathered before it is asked for. */
export const gatherBytesMax = 1024 * 1024;

export interface ContentOptions {
  readonly places: Places;
  readonly filler: Filler;
  readonly ram: Tier;
  readonly views: RecentView;
  readonly onServed: (source: Source, bytes: number) => void;
}

/** The bytes of one representation for one request: at once where the tiers have them, else as they are read. */
export class RepresentationContent implements Content {
  readonly #representation: Representation;
  readonly #request: CacheRequest;
  readonly #options: ContentOptions;
  /** What the request's preconditions leave to do, told by whoever evaluated them; undefined: nobody had to. */
  preconditions: Verdict | undefined;
  /** What `gather` found. */
  #gathered: { readonly first: number; readonly last: number; readonly buffers: readonly Buffer[] } | undefined;

  /**
   * Of the last `peek`: pieces that nobody else holds, and views whose memory is held for who got them. Those of earlier
   * ones are for the collector: not all transports release.
   */
  #sole: readonly Buffer[] = none;
  #held: readonly Buffer[] = none;

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
    // What was gathered may be given twice, and is the collector's.
    this.#held = known ? none : buffers;
    this.#given('ram', first, last);
    return buffers;
  }

  release(): void {
    // At once, and not by the collector: what comes next gets memory that is still in the CPU's cache.
    for (const { buffer } of this.#sole) if (buffer instanceof ArrayBuffer) buffer.transfer(0);
    for (const bytes of this.#held) PieceMemory.of(bytes)?.letGo();
    this.#sole = none;
    this.#held = none;
  }

  sourceOf(first: number): Source | undefined {
    const unserved = this.#representation.unserved.sourceOf(first);
    if (unserved !== undefined) return unserved;
    if (this.#gathered?.first === first) return 'ram';
    const place = this.#options.places.locate(this.#representation, first);
    if (place.kind === 'tier') return place.tier.name;
    if (place.kind === 'flight') return first < place.flight.position ? 'ram' : place.flight.source;
    return undefined;
  }

  read(first: number, last: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const { places, filler, ram } = this.#options;
    const onGiven = (source: Source, from: number, to: number): void => this.#given(source, from, to);
    const read = new ContentRead(this.#representation, this.#request, { places, filler, ram, onGiven });
    return read.bytes({ first, last }, signal);
  }

  #fromRam(first: number, last: number): Buffer[] | undefined {
    const { ram, views } = this.#options;
    const { id } = this.#representation;
    const buffers: Buffer[] = [];
    for (let offset = first; offset <= last; ) {
      const span = ram.find(id, offset);
      const piece = span === undefined || span.first > offset ? undefined : ram.read(id, span.first);
      if (span === undefined || !Buffer.isBuffer(piece)) return withdrawn(buffers);
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
    const { places, ram } = this.#options;
    const { id } = this.#representation;
    const found: { readonly tier: Tier; readonly first: number; readonly bytes: Buffer }[] = [];
    const buffers: Buffer[] = [];
    const sole: Buffer[] = [];
    for (let offset = first; offset <= last; ) {
      const place = places.locate(this.#representation, offset);
      if (place.kind !== 'tier') return withdrawn(buffers);
      const { tier, span } = place;
      // A read that has begun is joined by the reader that comes next.
      const piece = tier.read(id, span.first);
      if (!Buffer.isBuffer(piece)) return withdrawn(buffers);
      if (tier !== ram) ram.put(id, span.first, piece);
      if (tier.isSole?.(piece) && ram.find(id, span.first)?.first !== span.first) sole.push(piece);
      const bytes = piece.subarray(offset - span.first, last + 1 - span.first);
      found.push({ tier, first: offset, bytes });
      buffers.push(bytes);
      offset += bytes.length;
    }
    this.#sole = sole;
    this.#held = buffers;
    for (const each of found) this.#given(each.tier.name, each.first, each.first + each.bytes.length - 1);
    return buffers;
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
}

const none: readonly Buffer[] = [];

/** Nobody gets these after all. */
function withdrawn(buffers: readonly Buffer[]): undefined {
  for (const bytes of buffers) PieceMemory.of(bytes)?.letGo();
}
