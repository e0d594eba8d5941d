import type { PieceSpan } from '../cache/types.ts';
import type { PiecePlace } from './index-records.ts';

/** The place of a piece that waits in the write queue. Real generations count from 1. */
export const pendingPlace: PiecePlace = { generation: 0, sequence: 0 };

/**
 * The pieces of one representation by first byte, in columns: 32 bytes a piece. No piece in it lies within another,
 * so the ends are in order too, and one look finds the piece that holds an offset.
 */
export class Spans {
  readonly #firsts: number[] = [];
  readonly #lengths: number[] = [];
  readonly #generations: number[] = [];
  readonly #sequences: number[] = [];

  get count(): number {
    return this.#firsts.length;
  }

  /** The piece that holds `offset`, else the next one. */
  find(offset: number): PieceSpan | undefined {
    const after = this.#after(offset);
    const first = this.#firsts[after - 1];
    const length = this.#lengths[after - 1];
    if (first !== undefined && length !== undefined && offset < first + length) return { first, length };
    const nextFirst = this.#firsts[after];
    const nextLength = this.#lengths[after];
    return nextFirst === undefined || nextLength === undefined ? undefined : { first: nextFirst, length: nextLength };
  }

  /** The piece that begins at `first`. */
  at(first: number): (PiecePlace & { length: number }) | undefined {
    const i = this.#after(first) - 1;
    if (this.#firsts[i] !== first) return undefined;
    return {
      length: this.#lengths[i] ?? 0,
      generation: this.#generations[i] ?? 0,
      sequence: this.#sequences[i] ?? 0,
    };
  }

  /** Adds a piece. Returns the pieces that lie within it and are gone now; undefined when it lies within another. */
  add(piece: PieceSpan, place: PiecePlace): (PieceSpan & PiecePlace)[] | undefined {
    const end = piece.first + piece.length;
    let from = this.#after(piece.first);
    const before = this.#firsts[from - 1];
    if (before !== undefined && before + (this.#lengths[from - 1] ?? 0) >= end) return undefined;
    if (before === piece.first) from--;
    let to = from;
    while (to < this.count && (this.#firsts[to] ?? 0) + (this.#lengths[to] ?? 0) <= end) to++;
    const replaced = this.#slice(from, to);
    this.#firsts.splice(from, to - from, piece.first);
    this.#lengths.splice(from, to - from, piece.length);
    this.#generations.splice(from, to - from, place.generation);
    this.#sequences.splice(from, to - from, place.sequence);
    return replaced;
  }

  /** The piece at `first` has moved, if it still was at `from`. */
  move(first: number, from: PiecePlace, to: PiecePlace): void {
    const i = this.#indexOf(first, from);
    if (i === -1) return;
    this.#generations[i] = to.generation;
    this.#sequences[i] = to.sequence;
  }

  /** Forgets the piece at `first`, if it still is at `place`. */
  drop(first: number, place: PiecePlace): void {
    const i = this.#indexOf(first, place);
    if (i === -1) return;
    this.#firsts.splice(i, 1);
    this.#lengths.splice(i, 1);
    this.#generations.splice(i, 1);
    this.#sequences.splice(i, 1);
  }

  #slice(from: number, to: number): (PieceSpan & PiecePlace)[] {
    const found: (PieceSpan & PiecePlace)[] = [];
    for (let i = from; i < to; i++) {
      found.push({
        first: this.#firsts[i] ?? 0,
        length: this.#lengths[i] ?? 0,
        generation: this.#generations[i] ?? 0,
        sequence: this.#sequences[i] ?? 0,
      });
    }
    return found;
  }

  #indexOf(first: number, place: PiecePlace): number {
    const i = this.#after(first) - 1;
    if (this.#firsts[i] !== first) return -1;
    return this.#generations[i] === place.generation && this.#sequences[i] === place.sequence ? i : -1;
  }

  /** Index of the first piece that begins after `offset`. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#firsts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#firsts[middle] ?? 0) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
