import type { PieceSpan } from '../cache/types.ts';

/**
 * The pieces of one representation in order of `first`. None holds all of another, so they are in order of their ends
 * as well, and the last one that begins at or before an offset is the only one that need be looked at.
 */
export class PieceList<P extends PieceSpan> {
  readonly #pieces: P[] = [];

  get size(): number {
    return this.#pieces.length;
  }

  /** The piece that holds `offset` and reaches farthest; else the first one after it. */
  find(offset: number): P | undefined {
    const after = this.#countUpTo(offset);
    const before = this.#pieces[after - 1];
    return before !== undefined && offset < end(before) ? before : this.#pieces[after];
  }

  get(first: number): P | undefined {
    const piece = this.#pieces[this.#countUpTo(first) - 1];
    return piece?.first === first ? piece : undefined;
  }

  /** Puts the piece in and returns those it holds all of, which it replaces; undefined: another holds all of it. */
  add(piece: P): readonly P[] | undefined {
    const after = this.#countUpTo(piece.first);
    const before = this.#pieces[after - 1];
    if (before !== undefined && end(before) >= end(piece)) return undefined;
    const from = before?.first === piece.first ? after - 1 : after;
    let to = from;
    while (to < this.#pieces.length && end(this.#pieces[to] as P) <= end(piece)) to++;
    if (from < this.#pieces.length) return this.#pieces.splice(from, to - from, piece);
    this.#pieces.push(piece);
    return [];
  }

  /** The piece must be in. */
  delete(piece: P): void {
    const at = this.#countUpTo(piece.first) - 1;
    if (this.#pieces[at] === piece) this.#pieces.splice(at, 1);
  }

  [Symbol.iterator](): Iterator<P> {
    return this.#pieces[Symbol.iterator]();
  }

  /** How many pieces begin at or before `offset`. */
  #countUpTo(offset: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#pieces[middle] as P).first <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function end(piece: PieceSpan): number {
  return piece.first + piece.length;
}
