import { pageBytes } from '../libc.ts';
import { extentBytes, MemoryFile } from './memory-file.ts';

/** A piece whose bytes the arena may move. */
export interface Resident<R> {
  bytes: Buffer;
  /** Where in the arena they are; the arena's own note. */
  extent: Extent<R> | undefined;
}

/** What is known of a part of the file while some of it is in use. */
export interface Extent<R> {
  readonly residents: Set<R>;
  /** Bytes of those who left, which cannot be used again as long as one is left. */
  deadBytes: number;
}

/** The extent that is being filled. It alone is held by the arena: the others live as long as somebody has a view of them. */
interface Filling<R> {
  readonly extent: Extent<R>;
  readonly buffer: ArrayBuffer;
  usedBytes: number;
}

/** Share of the arena that those who left may take up before those beside them are moved out; one extent always may. */
const deadShare = 1 / 16;

/**
 * Memory that the kernel can send from without a copy. Bytes are copied in once and never written to again: an extent is
 * used anew only when no view of it is left in this process, and with other pages, since sockets may still hold the old
 * ones. What does not fit stays where it is.
 */
export class Arena<R extends Resident<R>> {
  readonly #file: MemoryFile;
  readonly #bytesMax: number;
  readonly #deadBytesMax: number;
  /** Offsets of extents that are free after they were used, and the first one that never was. */
  readonly #free: number[] = [];
  #unused = 0;
  /** Offsets in the file. */
  readonly #places = new WeakMap<ArrayBufferLike, number>();
  readonly #collected = new FinalizationRegistry<number>((offset) => this.#takeBack(offset));
  readonly #full = new Set<Extent<R>>();
  #filling: Filling<R> | undefined;
  #deadBytes = 0;

  private constructor(file: MemoryFile, bytesMax: number) {
    this.#file = file;
    this.#bytesMax = bytesMax;
    this.#deadBytesMax = Math.max(extentBytes, bytesMax * deadShare);
  }

  /** At most so large; undefined where the system does not offer it, or where it would be too small. */
  static open<R extends Resident<R>>(bytesMax: number): Arena<R> | undefined {
    const bytes = bytesMax - (bytesMax % extentBytes);
    const file = bytes === 0 ? undefined : MemoryFile.open(bytes);
    return file && new Arena(file, bytes);
  }

  /** Holds what `offsetOf` tells of. Never written to by others. */
  get fd(): number {
    return this.#file.fd;
  }

  /** Where it begins, for all threads of the process. */
  get address(): bigint {
    return this.#file.address;
  }

  /** Where in the file these bytes are, as long as somebody holds the buffer; undefined: not in it. */
  offsetOf(bytes: Buffer): number | undefined {
    const place = this.#places.get(bytes.buffer);
    return place === undefined ? undefined : place + bytes.byteOffset;
  }

  /** Copies the bytes of a piece to the arena, if there is room, and replaces them. */
  admit(piece: R): void {
    const { length } = piece.bytes;
    const filling = this.#fillingFor(length);
    if (filling === undefined) return;
    const bytes = Buffer.from(filling.buffer, filling.usedBytes, length);
    piece.bytes.copy(bytes);
    filling.usedBytes += Math.ceil(length / pageBytes) * pageBytes;
    filling.extent.residents.add(piece);
    piece.bytes = bytes;
    piece.extent = filling.extent;
  }

  /**
   * The piece is no longer kept. Its bytes stay as they are for those who still have them. Returns those that had to be
   * moved out of the arena for it.
   */
  leave(piece: R): readonly R[] {
    const { extent } = piece;
    const moved: R[] = [];
    if (extent === undefined) return moved;
    piece.extent = undefined;
    extent.residents.delete(piece);
    extent.deadBytes += piece.bytes.length;
    this.#deadBytes += piece.bytes.length;
    this.#clear(extent);
    while (this.#deadBytes > this.#deadBytesMax && this.#moveOut(moved)) {}
    return moved;
  }

  #fillingFor(length: number): Filling<R> | undefined {
    const before = this.#filling;
    if (before !== undefined && before.usedBytes + length <= extentBytes) return before;
    if (before !== undefined) this.#seal(before);
    const offset = this.#free.pop() ?? this.#nextUnused();
    if (offset === undefined) return undefined;
    const buffer = this.#file.extent(offset);
    this.#places.set(buffer, offset);
    this.#collected.register(buffer, offset);
    this.#filling = { buffer, usedBytes: 0, extent: { residents: new Set(), deadBytes: 0 } };
    return this.#filling;
  }

  #seal({ extent }: Filling<R>): void {
    this.#filling = undefined;
    this.#full.add(extent);
    this.#clear(extent);
  }

  #nextUnused(): number | undefined {
    if (this.#unused >= this.#bytesMax) return undefined;
    this.#unused += extentBytes;
    return this.#unused - extentBytes;
  }

  /** Forgets a full extent that nobody is left in: it comes back when the last view of it is collected. */
  #clear(extent: Extent<R>): void {
    if (extent.residents.size > 0 || !this.#full.delete(extent)) return;
    this.#deadBytes -= extent.deadBytes;
  }

  /** Gives those who are left where most have left memory of their own. False: there is no such extent. */
  #moveOut(moved: R[]): boolean {
    let emptiest: Extent<R> | undefined;
    for (const extent of this.#full) {
      if (extent.deadBytes > (emptiest?.deadBytes ?? 0)) emptiest = extent;
    }
    if (emptiest === undefined) return false;
    for (const piece of emptiest.residents) {
      const copy = Buffer.allocUnsafeSlow(piece.bytes.length);
      piece.bytes.copy(copy);
      piece.bytes = copy;
      piece.extent = undefined;
      moved.push(piece);
    }
    emptiest.residents.clear();
    this.#clear(emptiest);
    return true;
  }

  /** No view is left. An extent whose memory cannot be replaced is not used again. */
  #takeBack(offset: number): void {
    if (this.#file.discard(offset)) this.#free.push(offset);
  }
}
