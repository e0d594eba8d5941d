import { PieceMemory } from '../../piece-memory.ts';
import { pieceBytes, type Source } from '../types.ts';

/** Pieces a flight holds whatever happens, for readers close behind the writer. */
const piecesMin = 4;
/** Bytes a flight holds although nobody present needs them: for those who come a little later, as in a herd. */
const passedBytesMax = 4 * 1024 * 1024;

/** How much all flights hold together. Beyond `bytesMax` each lets go of what it can. */
export class Holding {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }
}

/** Where finished pieces go, to be kept. Nobody writes to them afterwards. */
export interface Keeper {
  put(first: number, bytes: Buffer, source: Source): void;
  /** Whether a reader that does not find these bytes in the flight gets them all the same. */
  has(first: number, length: number): boolean;
}

/** Who may still need what a flight holds: the least and the greatest offset of its readers; undefined without any. */
export interface Need {
  readonly least: number | undefined;
  readonly furthest: number | undefined;
}

/**
 * The finished pieces of a flight, in order and without gaps, as long as a reader behind the writer may depend on them:
 * tiers are free to decline and to evict what they are given. The memory is that of the pieces the tiers have, if they do.
 */
export class HeldPieces {
  readonly #keeper: Keeper;
  readonly #holding: Holding;
  readonly #pieces: { readonly first: number; readonly bytes: Buffer }[] = [];
  #bytes = 0;

  constructor(keeper: Keeper, holding: Holding) {
    this.#keeper = keeper;
    this.#holding = holding;
  }

  /** Holds a piece, and its memory in the place of who made it, and offers it for keeping. */
  add(first: number, bytes: Buffer, source: Source): void {
    this.#keeper.put(first, bytes, source);
    this.#pieces.push({ first, bytes });
    this.#bytes += bytes.length;
    this.#holding.bytes += bytes.length;
  }

  /** Bytes from `offset` as far as they lie in one piece; undefined when they are not held. */
  take(offset: number): Buffer | undefined {
    const [oldest] = this.#pieces;
    if (oldest === undefined || offset < oldest.first) return undefined;
    // One piece to a slot, and no slot left out.
    const piece = this.#pieces[Math.floor(offset / pieceBytes) - Math.floor(oldest.first / pieceBytes)];
    if (piece === undefined || offset < piece.first || offset >= piece.first + piece.bytes.length) return undefined;
    return piece.bytes.subarray(offset - piece.first);
  }

  /** Lets go of what may go, oldest first. False: there is no room for more before the furthest reader moves. */
  trim(need: Need): boolean {
    const { least, furthest } = need;
    for (
      let [oldest] = this.#pieces;
      oldest !== undefined && this.#pieces.length > piecesMin;
      [oldest] = this.#pieces
    ) {
      const { first, bytes } = oldest;
      if (!this.#over && !(this.#bytes > passedBytesMax && this.#isPassed(least))) return true;
      // Slow readers hold back nobody: they look for it elsewhere.
      if (!this.#keeper.has(first, bytes.length) && furthest !== undefined && furthest < first + bytes.length)
        return false;
      this.#drop();
    }
    return true;
  }

  /** The flight has ended: holds only what somebody needs and gets nowhere else. True: that is nothing. */
  settle({ least }: Need): boolean {
    if (least === undefined || this.#pieces.every(({ first, bytes }) => this.#keeper.has(first, bytes.length)))
      this.clear();
    else while (this.#isPassed(least) && (this.#over || this.#bytes > passedBytesMax)) this.#drop();
    return this.#pieces.length === 0;
  }

  get #over(): boolean {
    return this.#holding.bytes > this.#holding.bytesMax;
  }

  clear(): void {
    while (this.#pieces.length > 0) this.#drop();
  }

  /** Whether no reader there is needs the oldest piece. */
  #isPassed(least: number | undefined): boolean {
    const [oldest] = this.#pieces;
    return oldest !== undefined && least !== undefined && oldest.first + oldest.bytes.length <= least;
  }

  #drop(): void {
    const oldest = this.#pieces.shift();
    if (oldest === undefined) return;
    const { length } = oldest.bytes;
    this.#bytes -= length;
    this.#holding.bytes -= length;
    PieceMemory.of(oldest.bytes)?.letGo();
  }
}
