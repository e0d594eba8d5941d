import { LRUCache } from 'lru-cache';
import { FrequencySketch } from './sketch.ts';

/** Share of the budget for newcomers, whatever their frequency: at first, at least, at most. */
const windowShare = { first: 0.1, min: 0.05, max: 0.9 };
/** A window below this could not hold a few segments; a budget below this is all window, a plain LRU. */
const windowBytesMin = 4 * 1024 * 1024;
/** Share of the main part for pieces that were read again after they got in. */
const protectedShare = 0.8;
/** How long those who had to go are remembered, in evicted bytes per byte of budget. */
const ghostShare = { window: 0.25, main: 0.5 };
/** The sketch forgets by half each time this many uses per resident piece were counted. */
const usesPerPiece = 10;
const usesMin = 1000;
/** The sketch is made for a budget full of pieces of this size. */
const pieceBytesTypical = 64 * 1024;
/** Reads closer together than this share of the resident pieces are one use: a piece read in small steps is no favourite. */
const burstShare = 0.05;

export type Segment<P extends object> = LRUCache<P, P>;

/** A piece as admission sees it. `segment` and `usedAt` are admission's own notes, not to be set by others. */
export interface Weighed<P extends object> {
  /** Bytes of memory it holds, a positive integer. */
  readonly cost: number;
  /** 32 well mixed bits of what it is, the same each time it comes back. */
  readonly hash: number;
  segment: Segment<P> | undefined;
  usedAt: number;
}

/**
 * Decides which pieces stay within a byte budget: W-TinyLFU whose window finds its own size. Newcomers pass through the
 * window, an LRU. To get from there into the main part, a full one, a piece must have been used more often lately than
 * each of those that would have to go for it. A piece that is asked for again soon after it lost shows that the window
 * is too small; one that is asked for again after it left the main part shows that it is too large.
 */
export class Admission<P extends Weighed<P>> {
  readonly bytesMax: number;
  readonly #window: Segment<P>;
  readonly #probation: Segment<P>;
  readonly #protected: Segment<P>;
  /** Costs by hash. */
  readonly #windowGhosts: LRUCache<number, number>;
  readonly #mainGhosts: LRUCache<number, number>;
  readonly #windowBytes: { target: number; readonly min: number; readonly max: number };
  readonly #sketch: FrequencySketch;
  readonly #onEvicted: (piece: P) => void;
  #accesses = 0;
  #uses = 0;

  /** `bytesMax`: a positive integer. `onEvicted`: told of each piece that had to go, not of those deleted. */
  constructor(bytesMax: number, onEvicted: (piece: P) => void) {
    this.bytesMax = bytesMax;
    this.#onEvicted = onEvicted;
    const windowBytes = (share: number) => Math.min(bytesMax, Math.max(windowBytesMin, bytesMax * share));
    const { first, min, max } = windowShare;
    this.#windowBytes = { target: windowBytes(first), min: windowBytes(min), max: windowBytes(max) };
    this.#sketch = new FrequencySketch(bytesMax / pieceBytesTypical);
    const segment = (): Segment<P> => new LRUCache({ maxSize: bytesMax, sizeCalculation: (piece) => piece.cost });
    this.#window = segment();
    this.#probation = segment();
    this.#protected = segment();
    const ghosts = (share: number): LRUCache<number, number> =>
      new LRUCache({ maxSize: Math.ceil(bytesMax * share), sizeCalculation: (cost) => cost });
    this.#windowGhosts = ghosts(ghostShare.window);
    this.#mainGhosts = ghosts(ghostShare.main);
  }

  get bytes(): number {
    return this.#window.calculatedSize + this.#probation.calculatedSize + this.#protected.calculatedSize;
  }

  get pieces(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  /** Whether a piece of this cost can be added at all. */
  fits(cost: number): boolean {
    return cost <= this.bytesMax;
  }

  /** Takes in a new piece, one that fits, after others have made room. */
  add(piece: P): void {
    this.#accesses += 1;
    this.#use(piece);
    this.#learn(piece);
    const { target } = this.#windowBytes;
    while (this.#window.size > 0 && this.#window.calculatedSize + piece.cost > target) this.#leaveWindow(piece.cost);
    while (this.bytes + piece.cost > this.bytesMax) this.#shrinkMain();
    move(piece, this.#window);
  }

  /** Notes that the piece was read. */
  touch(piece: P): void {
    this.#accesses += 1;
    if (this.#accesses - piece.usedAt > this.pieces * burstShare) this.#use(piece);
    if (piece.segment === this.#probation) this.#protect(piece);
    else piece.segment?.get(piece);
  }

  delete(piece: P): void {
    piece.segment?.delete(piece);
    piece.segment = undefined;
  }

  #use(piece: P): void {
    piece.usedAt = this.#accesses;
    this.#sketch.count(piece.hash);
    this.#uses += 1;
    if (this.#uses < Math.max(usesMin, this.pieces * usesPerPiece)) return;
    this.#sketch.halve();
    this.#uses = 0;
  }

  /** Moves the border between window and main part by what a returning piece shows. */
  #learn({ hash, cost }: P): void {
    const bytes = this.#windowBytes;
    if (this.#windowGhosts.delete(hash)) bytes.target = Math.min(bytes.target + cost, bytes.max);
    if (this.#mainGhosts.delete(hash)) bytes.target = Math.max(bytes.target - cost, bytes.min);
  }

  #protect(piece: P): void {
    move(piece, this.#protected);
    const bytesMax = (this.bytesMax - this.#windowBytes.target) * protectedShare;
    while (this.#protected.calculatedSize > bytesMax) {
      const demoted = this.#protected.pop();
      if (demoted === undefined) return;
      demoted.segment = undefined;
      move(demoted, this.#probation);
    }
  }

  /** The window's oldest goes on to the main part, or out, to make room for a newcomer. */
  #leaveWindow(newcomerCost: number): void {
    const candidate = this.#window.pop();
    if (candidate === undefined) return;
    candidate.segment = undefined;
    const lacking = this.bytes + candidate.cost + newcomerCost - this.bytesMax;
    const losers = this.#losersTo(candidate, lacking);
    if (losers === undefined) {
      this.#windowGhosts.set(candidate.hash, candidate.cost);
      this.#onEvicted(candidate);
      return;
    }
    for (const loser of losers) this.#leaveMain(loser);
    move(candidate, this.#probation);
  }

  /** Those who must go for the candidate; undefined when one of them was used as often as it was. */
  #losersTo(candidate: P, lackingBytes: number): P[] | undefined {
    const losers: P[] = [];
    if (lackingBytes <= 0) return losers;
    let lacking = lackingBytes;
    const uses = this.#sketch.estimate(candidate.hash);
    for (const segment of [this.#probation, this.#protected]) {
      for (const victim of segment.rkeys()) {
        if (uses <= this.#sketch.estimate(victim.hash)) return undefined;
        losers.push(victim);
        lacking -= victim.cost;
        if (lacking <= 0) return losers;
      }
    }
    return undefined;
  }

  /** The window has grown, or the newcomer is larger than it: the main part's oldest goes without a contest. */
  #shrinkMain(): void {
    for (const segment of [this.#probation, this.#protected]) {
      for (const victim of segment.rkeys()) {
        this.#leaveMain(victim);
        return;
      }
    }
  }

  #leaveMain(piece: P): void {
    this.delete(piece);
    this.#mainGhosts.set(piece.hash, piece.cost);
    this.#onEvicted(piece);
  }
}

function move<P extends Weighed<P>>(piece: P, to: Segment<P>): void {
  piece.segment?.delete(piece);
  to.set(piece, piece);
  piece.segment = to;
}
