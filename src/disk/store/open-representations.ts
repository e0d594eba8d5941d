import type { PieceSpan, RepresentationId } from '../../cache/types.ts';
import type { PiecePlace } from '../record/index-records.ts';
import { Spans } from './spans.ts';

/** What an open representation without pieces weighs, in pieces. */
const openWeight = 8;

interface Open {
  readonly spans: Spans;
  /** The index was read, so nothing that is stored is missing here. */
  loaded: boolean;
}

/**
 * The representations whose pieces are known in memory, least recently used first. At most `weightMax` pieces are
 * known; beyond it the least recently used representation is closed, and misses until it is loaded again.
 */
export class OpenRepresentations {
  readonly #open = new Map<RepresentationId, Open>();
  readonly #weightMax: number;
  #weight = 0;
  #latest: RepresentationId | undefined;

  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  find(id: RepresentationId, offset: number): PieceSpan | undefined {
    return this.#touch(id)?.spans.find(offset);
  }

  at(id: RepresentationId, first: number): (PiecePlace & { length: number }) | undefined {
    return this.#open.get(id)?.spans.at(first);
  }

  /** Opens the representation if need be and adds a piece; answers as `Spans.add`. */
  add(id: RepresentationId, piece: PieceSpan, place: PiecePlace): (PieceSpan & PiecePlace)[] | undefined {
    const open = this.#touch(id) ?? this.#create(id);
    const before = open.spans.count;
    const replaced = open.spans.add(piece, place);
    this.#weight += open.spans.count - before;
    this.#trim();
    return replaced;
  }

  /** From here on nothing stored of it is unknown. */
  setLoaded(id: RepresentationId): void {
    const open = this.#open.get(id) ?? this.#create(id);
    open.loaded = true;
    this.#trim();
  }

  isLoaded(id: RepresentationId): boolean {
    return this.#touch(id)?.loaded === true;
  }

  hasPieces(id: RepresentationId): boolean {
    return (this.#open.get(id)?.spans.count ?? 0) > 0;
  }

  move(id: RepresentationId, first: number, change: { from: PiecePlace; to: PiecePlace }): void {
    this.#open.get(id)?.spans.move(first, change.from, change.to);
  }

  drop(id: RepresentationId, first: number, place: PiecePlace): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    const before = open.spans.count;
    open.spans.drop(first, place);
    this.#weight += open.spans.count - before;
  }

  close(id: RepresentationId): void {
    const open = this.#open.get(id);
    if (open === undefined) return;
    this.#open.delete(id);
    this.#weight -= open.spans.count + openWeight;
    if (this.#latest === id) this.#latest = undefined;
  }

  /** Closes all of them: what was known of the index no longer holds. */
  clear(): void {
    this.#open.clear();
    this.#weight = 0;
    this.#latest = undefined;
  }

  #create(id: RepresentationId): Open {
    const open = { spans: new Spans(), loaded: false };
    this.#open.set(id, open);
    this.#latest = id;
    this.#weight += openWeight;
    return open;
  }

  #touch(id: RepresentationId): Open | undefined {
    const open = this.#open.get(id);
    if (open === undefined || this.#latest === id) return open;
    this.#open.delete(id);
    this.#open.set(id, open);
    this.#latest = id;
    return open;
  }

  #trim(): void {
    for (const id of this.#open.keys()) {
      if (this.#weight <= this.#weightMax) return;
      this.close(id);
    }
  }
}
