import type { RepresentationId } from '../../cache/types.ts';
import { PieceMemory } from '../../piece-memory.ts';
import { pieceHeaderBytes } from '../record/piece-record.ts';

/** A piece on its way to the disk. */
export interface PendingPiece {
  readonly id: RepresentationId;
  readonly first: number;
  readonly bytes: Buffer;
  /** Stored pieces that lie within this one: needless once it is stored. */
  readonly supersedes: readonly { first: number; generation: number }[];
  /** Nobody wants it any more; it must not get into the index. */
  dropped: boolean;
}

/** From here on what waits is not left to wait. */
const fillingShare = 1 / 4;

/** Pieces that wait to be written, first in first out, at most `bytesMax` of bytes and `piecesMax` of them. */
export class PieceQueue {
  readonly #bytesMax: number;
  readonly #piecesMax: number;
  readonly #byId = new Map<RepresentationId, Map<number, PendingPiece>>();
  /** Those before `#head` were taken. */
  #line: (PendingPiece | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  constructor(bytesMax: number, piecesMax: number) {
    this.#bytesMax = bytesMax;
    this.#piecesMax = piecesMax;
  }

  /** Pieces not taken yet, dropped ones included. */
  get length(): number {
    return this.#line.length - this.#head;
  }

  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#bytesMax && this.length < this.#piecesMax;
  }

  /** Whether so much waits that what comes might soon find no room. */
  get isFilling(): boolean {
    return this.#bytes > this.#bytesMax * fillingShare || this.length > this.#piecesMax * fillingShare;
  }

  push(piece: PendingPiece): void {
    PieceMemory.of(piece.bytes)?.hold();
    this.drop(piece.id, piece.first);
    this.#byId.getOrInsertComputed(piece.id, () => new Map()).set(piece.first, piece);
    this.#line.push(piece);
    this.#bytes += piece.bytes.length;
  }

  /** A piece that is queued, or taken and not yet done with. */
  get(id: RepresentationId, first: number): PendingPiece | undefined {
    return this.#byId.get(id)?.get(first);
  }

  /** The bytes of such a piece. */
  read(id: RepresentationId, first: number): Buffer | undefined {
    const bytes = this.get(id, first)?.bytes;
    if (bytes !== undefined) PieceMemory.of(bytes)?.hold();
    return bytes;
  }

  has(id: RepresentationId): boolean {
    return this.#byId.has(id);
  }

  /** The next pieces in line whose records fit in `recordBytes`. They stay readable until `done`. */
  take(recordBytes: number): PendingPiece[] {
    const taken: PendingPiece[] = [];
    let room = recordBytes;
    for (let next = this.#line[this.#head]; next !== undefined; next = this.#line[this.#head]) {
      if (pieceHeaderBytes + next.bytes.length > room) break;
      // What is taken must not be kept alive by the line.
      this.#line[this.#head++] = undefined;
      if (next.dropped) {
        this.done(next);
        continue;
      }
      taken.push(next);
      room -= pieceHeaderBytes + next.bytes.length;
    }
    this.#shorten();
    return taken;
  }

  /** That piece is on disk, or given up; its bytes may be gone. Once for each that was taken. */
  done(piece: PendingPiece): void {
    this.#bytes -= piece.bytes.length;
    this.#forget(piece);
    PieceMemory.of(piece.bytes)?.letGo();
  }

  /** Nobody wants that piece any more. */
  drop(id: RepresentationId, first: number): void {
    const piece = this.get(id, first);
    if (piece === undefined) return;
    piece.dropped = true;
    this.#forget(piece);
  }

  dropAll(id: RepresentationId): void {
    for (const piece of this.#byId.get(id)?.values() ?? []) piece.dropped = true;
    this.#byId.delete(id);
  }

  #forget(piece: PendingPiece): void {
    const pieces = this.#byId.get(piece.id);
    if (pieces?.get(piece.first) !== piece) return;
    pieces.delete(piece.first);
    if (pieces.size === 0) this.#byId.delete(piece.id);
  }

  #shorten(): void {
    if (this.#head < 1024 && this.#head < this.#line.length) return;
    this.#line = this.#line.slice(this.#head);
    this.#head = 0;
  }
}
