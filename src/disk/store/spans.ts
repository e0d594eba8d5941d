import type { PieceSpan } from '../../cache/types.ts';
import { partitionPoint } from '../../partition-point.ts';
import type { PiecePlace } from '../record/index-records.ts';

/** The place of a piece that waits in the write queue. Real generations count from 1. */
export const pendingPlace: PiecePlace = { generation: 0, sequence: 0 };

/** Numbers for each piece: first, length, generation, sequence. */
const width = 4;
/** Up to so many numbers an array is made anew with what is added: one that grows keeps room for sixteen more. */
const exactMax = 64;

/**
 * The pieces of one representation by first byte, 32 bytes a piece, which is all that most short ones are. No piece in it
 * lies within another, so the ends are in order too, and one look finds the piece that holds an offset.
 */
export class Spans {
  #cells: number[] = [];

  get count(): number {
    return this.#cells.length / width;
  }

  /** The piece that holds `offset`, else the next one. */
  find(offset: number): PieceSpan | undefined {
    const after = this.#after(offset);
    if (after > 0 && offset < this.#end(after - 1)) return this.#span(after - 1);
    return after < this.count ? this.#span(after) : undefined;
  }

  /** The piece that begins at `first`. */
  at(first: number): (PiecePlace & { length: number }) | undefined {
    const i = this.#after(first) - 1;
    if (i < 0 || this.#first(i) !== first) return undefined;
    const { length, generation, sequence } = this.#piece(i);
    return { length, generation, sequence };
  }

  /** Adds a piece. Returns the pieces that lie within it and are gone now; undefined when it lies within another. */
  add(piece: PieceSpan, place: PiecePlace): (PieceSpan & PiecePlace)[] | undefined {
    const end = piece.first + piece.length;
    let from = this.#after(piece.first);
    if (from > 0 && this.#end(from - 1) >= end) return undefined;
    if (from > 0 && this.#first(from - 1) === piece.first) from--;
    let to = from;
    while (to < this.count && this.#end(to) <= end) to++;
    const replaced = Array.from({ length: to - from }, (_none, i) => this.#piece(from + i));
    this.#replace(from, to, [piece.first, piece.length, place.generation, place.sequence]);
    return replaced;
  }

  /** The piece at `first` has moved, if it still was at `from`. */
  move(first: number, from: PiecePlace, to: PiecePlace): void {
    const i = this.#indexOf(first, from);
    if (i === -1) return;
    this.#cells[i * width + 2] = to.generation;
    this.#cells[i * width + 3] = to.sequence;
  }

  /** Forgets the piece at `first`, if it still is at `place`. */
  drop(first: number, place: PiecePlace): void {
    const i = this.#indexOf(first, place);
    if (i !== -1) this.#replace(i, i + 1, []);
  }

  #replace(from: number, to: number, cells: readonly number[]): void {
    const [at, removed] = [from * width, (to - from) * width];
    if (this.#cells.length + cells.length > exactMax) this.#cells.splice(at, removed, ...cells);
    else this.#cells = [...this.#cells.slice(0, at), ...cells, ...this.#cells.slice(at + removed)];
  }

  #indexOf(first: number, place: PiecePlace): number {
    const i = this.#after(first) - 1;
    if (i < 0 || this.#first(i) !== first) return -1;
    const { generation, sequence } = this.#piece(i);
    return generation === place.generation && sequence === place.sequence ? i : -1;
  }

  /** Index of the first piece that begins after `offset`. */
  #after(offset: number): number {
    return partitionPoint(this.count, (i) => this.#first(i) <= offset);
  }

  #first(i: number): number {
    return this.#cells[i * width] ?? 0;
  }

  #end(i: number): number {
    return this.#first(i) + (this.#cells[i * width + 1] ?? 0);
  }

  #span(i: number): PieceSpan {
    return { first: this.#first(i), length: this.#cells[i * width + 1] ?? 0 };
  }

  #piece(i: number): PieceSpan & PiecePlace {
    const [generation = 0, sequence = 0] = [this.#cells[i * width + 2], this.#cells[i * width + 3]];
    return { ...this.#span(i), generation, sequence };
  }
}
