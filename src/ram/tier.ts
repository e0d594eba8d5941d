import { type PieceSpan, pieceBytes, type RepresentationId, type Tier } from '../cache/types.ts';
import { PieceMemory } from '../piece-memory.ts';
import { Admission, type Segment } from './admission.ts';
import type { Arena, Extent } from './arena.ts';
import { PieceList } from './piece-list.ts';
import { hashOf } from './sketch.ts';

/** What a piece costs beside its bytes: its objects here, in lru-cache and in V8. Measured, rounded up. */
const pieceOverheadBytes = 512;
/** A buffer that pins more than this many times its own length is copied. */
const pinnedRatioMax = 1.125;
/** Shorter pieces are sent as fast by copying. */
const admittedBytesMin = 128 * 1024;

interface RamTierOptions {
  /** Budget of memory held, in bytes; 0 turns the tier off. */
  readonly bytesMax: number;
  /** Share of the budget that is left to all that is not a piece which is kept. Default 0. */
  readonly spareShare?: number;
  /** Told how many bytes of pieces each eviction freed. */
  readonly onEvicted?: (bytes: number) => void;
  /** Told of each piece that is no longer kept, whatever the reason, or no longer where it was. */
  readonly onDropped?: (id: RepresentationId, first: number) => void;
  /** Where large pieces move when they are read again, or shared, as far as it has room. */
  readonly arena?: RamArena | undefined;
}

/** An arena for the pieces of one tier. */
export type RamArena = Arena<Piece>;

interface RamTierStats {
  /** Memory held: the pieces and what it takes to keep them. Never above `bytesMax`. */
  readonly bytes: number;
  readonly bytesMax: number;
  readonly pieces: number;
}

/**
 * Pieces in memory. Everything is synchronous. Buffers are held as they are offered, or copied when they are a small
 * part of a larger allocation; those that `read` gives are read-only and stay valid after the piece is gone.
 */
export class RamTier implements Tier {
  readonly name = 'ram';
  readonly #lists = new Map<RepresentationId, PieceList<Piece>>();
  readonly #admission: Admission<Piece> | undefined;
  readonly #onEvicted: ((bytes: number) => void) | undefined;
  readonly #onDropped: ((id: RepresentationId, first: number) => void) | undefined;

  readonly #arena: RamArena | undefined;
  readonly #bytesMax: number;

  constructor({ bytesMax, spareShare = 0, onEvicted, onDropped, arena }: RamTierOptions) {
    if (!Number.isSafeInteger(bytesMax) || bytesMax < 0)
      throw new RangeError(`bytesMax is ${bytesMax}: must be a whole number of bytes, 0 or more`);
    this.#onEvicted = onEvicted;
    this.#onDropped = onDropped;
    this.#arena = arena;
    this.#bytesMax = bytesMax;
    const heldMax = Math.ceil(bytesMax * (1 - spareShare));
    if (heldMax > 0) this.#admission = new Admission(heldMax, (piece) => this.#evicted(piece));
  }

  stats(): RamTierStats {
    const admission = this.#admission;
    if (admission === undefined) return { bytes: 0, bytesMax: 0, pieces: 0 };
    return { bytes: admission.bytes, bytesMax: this.#bytesMax, pieces: admission.pieces };
  }

  find(id: RepresentationId, offset: number): PieceSpan | undefined {
    const piece = this.#lists.get(id)?.find(offset);
    return piece === undefined ? undefined : { first: piece.first, length: piece.length };
  }

  read(id: RepresentationId, first: number): Buffer | undefined {
    const piece = this.#lists.get(id)?.get(first);
    if (piece === undefined) return undefined;
    this.#admission?.touch(piece);
    if (isAdmissible(piece)) {
      if (piece.wasRead) this.#admit(piece);
      piece.wasRead = true;
    }
    piece.memory?.hold();
    return piece.bytes;
  }

  put(id: RepresentationId, first: number, bytes: Buffer): void {
    const admission = this.#admission;
    if (admission === undefined || bytes.length === 0) return;
    if (bytes.length > pieceBytes || !admission.fits(costOf(bytes))) return;
    const piece = new Piece(id, first, owned(bytes));
    const list = this.#lists.get(id) ?? new PieceList<Piece>();
    const replaced = list.add(piece);
    if (replaced === undefined) return;
    if (list.size === 1) this.#lists.set(id, list);
    piece.memory?.hold();
    for (const each of replaced) {
      admission.delete(each);
      this.#dropped(each);
    }
    admission.add(piece);
  }

  /**
   * As `read`, in memory that threads can share, the arena's or else shared memory: the piece is copied there once, and
   * kept in place of what was held.
   */
  share(id: RepresentationId, first: number): Buffer | undefined {
    const piece = this.#lists.get(id)?.get(first);
    if (piece === undefined) return undefined;
    this.#admission?.touch(piece);
    if (isAdmissible(piece)) this.#admit(piece);
    if (piece.extent === undefined && !isShared(piece.bytes)) {
      const shared = Buffer.from(new SharedArrayBuffer(piece.length));
      piece.bytes.copy(shared);
      piece.bytes = shared;
      piece.letGo();
    }
    return piece.bytes;
  }

  remove(id: RepresentationId): void {
    const list = this.#lists.get(id);
    if (list === undefined) return;
    this.#lists.delete(id);
    for (const piece of list) {
      this.#admission?.delete(piece);
      this.#dropped(piece);
    }
  }

  #admit(piece: Piece): void {
    this.#arena?.admit(piece);
    if (piece.extent !== undefined) piece.letGo();
  }

  #evicted(piece: Piece): void {
    const list = this.#lists.get(piece.id);
    list?.delete(piece);
    if (list?.size === 0) this.#lists.delete(piece.id);
    this.#onEvicted?.(piece.length);
    this.#dropped(piece);
  }

  #dropped(piece: Piece): void {
    piece.letGo();
    this.#onDropped?.(piece.id, piece.first);
    for (const { id, first } of this.#arena?.leave(piece) ?? []) this.#onDropped?.(id, first);
  }
}

class Piece {
  readonly id: RepresentationId;
  readonly first: number;
  readonly length: number;
  bytes: Buffer;
  readonly cost: number;
  readonly hash: number;
  segment: Segment<Piece> | undefined;
  usedAt = 0;
  wasRead = false;
  extent: Extent<Piece> | undefined;
  /** What `bytes` are in, once it was put in. */
  memory: PieceMemory | undefined;

  constructor(id: RepresentationId, first: number, bytes: Buffer) {
    this.id = id;
    this.first = first;
    this.length = bytes.length;
    this.bytes = bytes;
    this.cost = costOf(bytes);
    this.hash = hashOf(id, first);
    this.segment = undefined;
    this.extent = undefined;
    this.memory = PieceMemory.of(bytes);
  }

  /** Its bytes are gone, or in other memory. */
  letGo(): void {
    this.memory?.letGo();
    this.memory = undefined;
  }
}

/** Whether it may move to an arena. */
function isAdmissible({ length, extent, bytes }: Piece): boolean {
  return length >= admittedBytesMin && extent === undefined && !isShared(bytes);
}

function isShared({ buffer }: Buffer): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** Memory held once the bytes are `owned`. */
function costOf(bytes: Buffer): number {
  return (pinsMore(bytes) ? bytes.length : bytes.buffer.byteLength) + pieceOverheadBytes;
}

/** The bytes in memory of about their own size. */
function owned(bytes: Buffer): Buffer {
  if (!pinsMore(bytes)) return bytes;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** A view keeps all of its ArrayBuffer alive, however small it is. */
function pinsMore(bytes: Buffer): boolean {
  return bytes.buffer.byteLength > bytes.length * pinnedRatioMax;
}
