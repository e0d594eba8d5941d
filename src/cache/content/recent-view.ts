/** The view of a part of a piece that was made last. Making one costs more than all else in a hit that is a range. */
export class RecentView {
  #piece: Buffer | undefined;
  #view: Buffer | undefined;
  #from = 0;
  #to = 0;

  /** `piece.subarray(from, to)` */
  of(piece: Buffer, from: number, to: number): Buffer {
    if (this.#view !== undefined && piece === this.#piece && from === this.#from && to === this.#to) return this.#view;
    this.#piece = piece;
    this.#from = from;
    this.#to = to;
    this.#view = piece.subarray(from, to);
    return this.#view;
  }
}
