import { RecentView } from '../cache/content/recent-view.ts';
import { Representation } from '../cache/stored/representation.ts';
import { pieceBytes, type RepresentationId } from '../cache/types.ts';
import { Fields } from '../fields.ts';
import type { LentResponse } from './messages.ts';

interface Piece {
  readonly id: RepresentationId;
  readonly first: number;
  readonly bytes: Buffer;
  /** Given to a viewer since the last report. */
  used: boolean;
}

interface LentEntry {
  readonly key: string;
  readonly variants: readonly Representation[];
  used: boolean;
}

/** How often the main thread hears which pieces were used, so that it keeps those. */
const reportMs = 250;

/**
 * What the main thread has lent to this one. None of it is kept here beyond what the main thread keeps: it recalls what
 * changes and what it drops, so that there are no bounds but its own.
 */
export class Borrowed {
  readonly #entries = new Map<string, LentEntry>();
  /** By representation, then by slot. */
  readonly #pieces = new Map<RepresentationId, Map<number, Piece>>();
  readonly #views = new RecentView();
  readonly #onUsed: (keys: readonly string[], pieces: Float64Array) => void;
  #usedEntries: LentEntry[] = [];
  #usedPieces: Piece[] = [];
  #reporting = false;

  /** `onUsed` gets pieces as id, first, id, first … */
  constructor(onUsed: (keys: readonly string[], pieces: Float64Array) => void) {
    this.#onUsed = onUsed;
  }

  get pieces(): number {
    let count = 0;
    for (const slots of this.#pieces.values()) count += slots.size;
    return count;
  }

  /** All stored responses of the key, most recent first; undefined when they are not lent. */
  variants(key: string): readonly Representation[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (!entry.used) {
      entry.used = true;
      this.#usedEntries.push(entry);
      this.#reportSoon();
    }
    return entry.variants;
  }

  lend(key: string, variants: readonly LentResponse[]): void {
    const representations = variants.map(
      ({ target, stored }) => new Representation({ ...stored, fields: new Fields(stored.fields) }, { key, target }),
    );
    this.#entries.set(key, { key, variants: representations, used: false });
  }

  lendPiece(id: RepresentationId, first: number, bytes: Buffer): void {
    const slots = this.#pieces.getOrInsertComputed(id, () => new Map());
    const slot = Math.floor(first / pieceBytes);
    const before = slots.get(slot);
    if (before !== undefined && before.first !== first && before.bytes.length > bytes.length) return;
    slots.set(slot, { id, first, bytes, used: false });
  }

  /** `pieces`: id, first, id, first … */
  recall(keys: readonly string[], pieces: readonly number[]): void {
    for (const key of keys) this.#entries.delete(key);
    for (let i = 0; i + 1 < pieces.length; i += 2) this.#drop(pieces[i] as number, pieces[i + 1] as number);
  }

  /** Whether all of first .. last is here. */
  has(id: RepresentationId, first: number, last: number): boolean {
    const slots = this.#pieces.get(id);
    if (slots === undefined) return last < first;
    for (let offset = first; offset <= last; ) {
      const piece = slots.get(Math.floor(offset / pieceBytes));
      if (piece === undefined || !holds(piece, offset)) return false;
      offset = piece.first + piece.bytes.length;
    }
    return true;
  }

  /** first .. last without a copy; undefined when some of it is not here. */
  take(id: RepresentationId, first: number, last: number): Buffer[] | undefined {
    const slots = this.#pieces.get(id);
    if (slots === undefined) return undefined;
    const buffers: Buffer[] = [];
    for (let offset = first; offset <= last; ) {
      const piece = slots.get(Math.floor(offset / pieceBytes));
      if (piece === undefined || !holds(piece, offset)) return undefined;
      const { bytes } = piece;
      // A view costs more than all the rest of this.
      const whole = offset === piece.first && last + 1 - offset >= bytes.length;
      const slice = whole ? bytes : this.#views.of(bytes, offset - piece.first, last + 1 - piece.first);
      buffers.push(slice);
      offset += slice.length;
      if (!piece.used) this.#use(piece);
    }
    return buffers;
  }

  /** From `offset` to the end of the piece there, or to `last`. */
  takeFrom(id: RepresentationId, offset: number, last: number): Buffer | undefined {
    const piece = this.#pieces.get(id)?.get(Math.floor(offset / pieceBytes));
    if (piece === undefined || !holds(piece, offset)) return undefined;
    if (!piece.used) this.#use(piece);
    return piece.bytes.subarray(offset - piece.first, last + 1 - piece.first);
  }

  #drop(id: RepresentationId, first: number): void {
    const slots = this.#pieces.get(id);
    const slot = Math.floor(first / pieceBytes);
    if (slots?.get(slot)?.first !== first) return;
    slots.delete(slot);
    if (slots.size === 0) this.#pieces.delete(id);
  }

  #use(piece: Piece): void {
    piece.used = true;
    this.#usedPieces.push(piece);
    this.#reportSoon();
  }

  #reportSoon(): void {
    if (this.#reporting) return;
    this.#reporting = true;
    setTimeout(() => this.#report(), reportMs).unref();
  }

  #report(): void {
    const [entries, used] = [this.#usedEntries, this.#usedPieces];
    this.#usedEntries = [];
    this.#usedPieces = [];
    this.#reporting = false;
    for (const each of [...entries, ...used]) each.used = false;
    const pieces = Float64Array.from(used.flatMap(({ id, first }) => [id, first]));
    this.#onUsed(
      entries.map(({ key }) => key),
      pieces,
    );
  }
}

function holds({ first, bytes }: Piece, offset: number): boolean {
  return offset >= first && offset < first + bytes.length;
}
