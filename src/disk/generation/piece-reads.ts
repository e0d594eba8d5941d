/** Pages that were read are taken to be in the page cache for so long. */
const residentSeconds = 30;
/** Room for so many pieces at first. */
const piecesMin = 1024;

/** What is known of the reads of a generation's pieces, by sequence number: 3 bytes a piece. */
export class PieceReads {
  /** Since it was written, up to 255. */
  #hits: Uint8Array;
  /** When it was last read: seconds, 0 for never. They begin anew after 18 hours, which is as good as never. */
  #readAt: Uint16Array;

  constructor(pieces: number) {
    this.#hits = new Uint8Array(Math.max(piecesMin, pieces));
    this.#readAt = new Uint16Array(this.#hits.length);
  }

  count(sequence: number): void {
    if (sequence >= this.#hits.length) this.#grow(sequence + 1);
    const hits = this.#hits[sequence] ?? 0;
    if (hits < 255) this.#hits[sequence] = hits + 1;
  }

  hits(sequence: number): number {
    return this.#hits[sequence] ?? 0;
  }

  /** It was read, whole and intact. */
  done(sequence: number, nowMs: number): void {
    if (sequence < this.#readAt.length) this.#readAt[sequence] = seconds(nowMs);
  }

  /** Whether it was read so lately that it is in memory unless that is scarce. */
  isResident(sequence: number, nowMs: number): boolean {
    const readAt = this.#readAt[sequence] ?? 0;
    return readAt !== 0 && ((seconds(nowMs) - readAt) & 0xffff) <= residentSeconds;
  }

  #grow(pieces: number): void {
    const length = Math.max(2 * this.#hits.length, pieces);
    const [hits, readAt] = [new Uint8Array(length), new Uint16Array(length)];
    hits.set(this.#hits);
    readAt.set(this.#readAt);
    this.#hits = hits;
    this.#readAt = readAt;
  }
}

function seconds(nowMs: number): number {
  return Math.floor(nowMs / 1000) & 0xffff || 1;
}
