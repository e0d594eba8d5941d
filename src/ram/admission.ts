import { LRUCache } from 'lru-cache';
import { FrequencySketch } from './sketch.ts';

/** Share of the budget for newcomers, whatever their frequency: followers of a live edge read what just came. */
const windowShare = 0.05;
/** A window below this could not hold a few segments; a budget below this is all window, a plain LRU. */
const windowBytesMin = 4 * 1024 * 1024;
/** Share of the rest for pieces that were read again after they got in. */
const protectedShare = 0.8;
/** The sketch forgets by half each time this many accesses per resident piece were counted. */
const countsPerPiece = 10;
const countsMin = 1000;
/** The sketch is made for a budget full of pieces of this size. */
const pieceBytesTypical = 64 * 1024;
/** Accesses closer together than this share of the resident pieces are one use: a burst is no proof of lasting worth. */
const burstShare = 0.25;

export type Segment<P extends object> = LRUCache<P, P>;

/** A piece as admission sees it. `segment` and `usedAt` are admission's own notes, not to be set by others. */
export interface Weighed<P extends object> {
  /** Bytes of memory it holds. */
  readonly cost: number;
  /** 32 well mixed bits of what it is, the same each time it comes back. */
  readonly hash: number;
  segment: Segment<P> | undefined;
  usedAt: number;
}

/**
 * Decides which pieces stay within a byte budget: W-TinyLFU. Newcomers pass through a small LRU window; to get from
 * there into the main part, a full one, they must have been used more often lately than all those who would have to go.
 */
export class Admission<P extends Weighed<P>> {
  readonly bytesMax: number;
  readonly #window: Segment<P>;
  readonly #probation: Segment<P>;
  readonly #protected: Segment<P>;
  readonly #windowBytesMax: number;
  readonly #protectedBytesMax: number;
  readonly #sketch: FrequencySketch;
  readonly #onEvicted: (piece: P) => void;
  #accesses = 0;
  #counted = 0;

  /** `bytesMax`: a positive integer. `onEvicted`: told of each piece that had to go, not of those deleted. */
  constructor(bytesMax: number, onEvicted: (piece: P) => void) {
    this.bytesMax = bytesMax;
    this.#onEvicted = onEvicted;
    this.#windowBytesMax = Math.min(bytesMax, Math.max(windowBytesMin, Math.floor(bytesMax * windowShare)));
    this.#protectedBytesMax = Math.floor((bytesMax - this.#windowBytesMax) * protectedShare);
    this.#sketch = new FrequencySketch(bytesMax / pieceBytesTypical);
    const segment = (): Segment<P> => new LRUCache({ maxSize: bytesMax, sizeCalculation: (piece) => piece.cost });
    this.#window = segment();
    this.#probation = segment();
    this.#protected = segment();
  }

  get bytes(): number {
    return this.#window.calculatedSize + this.#mainBytes;
  }

  get pieces(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  /** Whether a piece of this cost can be added at all. */
  fits(cost: number): boolean {
    return cost <= this.#windowBytesMax;
  }

  /** Takes in a new piece, one that fits, at the cost of others. */
  add(piece: P): void {
    this.#accesses += 1;
    this.#use(piece);
    while (this.#window.calculatedSize + piece.cost > this.#windowBytesMax) this.#leaveWindow();
    move(piece, this.#window);
  }

  /** Notes that the piece was read. */
  touch(piece: P): void {
    this.#accesses += 1;
    if (this.#accesses - piece.usedAt > this.pieces * burstShare) this.#use(piece);
    if (piece.segment !== this.#probation) {
      piece.segment?.get(piece);
      return;
    }
    move(piece, this.#protected);
    while (this.#protected.calculatedSize > this.#protectedBytesMax) {
      const demoted = this.#protected.pop();
      if (demoted !== undefined) this.#settle(demoted);
    }
  }

  delete(piece: P): void {
    piece.segment?.delete(piece);
    piece.segment = undefined;
  }

  get #mainBytes(): number {
    return this.#probation.calculatedSize + this.#protected.calculatedSize;
  }

  #use(piece: P): void {
    piece.usedAt = this.#accesses;
    this.#sketch.count(piece.hash);
    this.#counted += 1;
    if (this.#counted < Math.max(countsMin, this.pieces * countsPerPiece)) return;
    this.#sketch.halve();
    this.#counted = 0;
  }

  /** The window's oldest goes on to the main part, or out. */
  #leaveWindow(): void {
    const candidate = this.#window.pop();
    if (candidate === undefined) return;
    const losers = this.#losersTo(candidate);
    if (losers === undefined) {
      this.#evict(candidate);
      return;
    }
    for (const loser of losers) this.#evict(loser);
    this.#settle(candidate);
  }

  /** Those who must go for the candidate; undefined when together they were used as often as it was. */
  #losersTo(candidate: P): P[] | undefined {
    let lacking = this.#mainBytes + candidate.cost - (this.bytesMax - this.#windowBytesMax);
    const losers: P[] = [];
    if (lacking <= 0) return losers;
    let worth = this.#sketch.estimate(candidate.hash);
    for (const segment of [this.#probation, this.#protected]) {
      for (const victim of segment.rkeys()) {
        worth -= this.#sketch.estimate(victim.hash);
        if (worth <= 0) return undefined;
        losers.push(victim);
        lacking -= victim.cost;
        if (lacking <= 0) return losers;
      }
    }
    return undefined;
  }

  #settle(piece: P): void {
    piece.segment = undefined;
    move(piece, this.#probation);
  }

  #evict(piece: P): void {
    this.delete(piece);
    this.#onEvicted(piece);
  }
}

function move<P extends Weighed<P>>(piece: P, to: Segment<P>): void {
  piece.segment?.delete(piece);
  to.set(piece, piece);
  piece.segment = to;
}
