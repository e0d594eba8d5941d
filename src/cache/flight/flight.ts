import type { EddyError } from '../../errors.ts';
import { PieceMemory } from '../../piece-memory.ts';
import { pieceBytes, type Source } from '../types.ts';
import { HeldPieces, type Holding, type Keeper } from './held-pieces.ts';
import type { Reader } from './reader.ts';

/** Readers are told of so much at once, of less at the end of the turn: each time costs each of them a write. */
const toldBytes = 128 * 1024;

interface FlightOptions {
  readonly keeper: Keeper;
  /** What this flight holds itself counts there. */
  readonly holding: Holding;
}

/**
 * One growing fetch with many readers. It covers bytes first .. last of a representation and belongs to no reader:
 * whoever supplies the bytes appends them, whoever reads follows `position`. Readers never write to what `take` gives.
 */
export class Flight {
  /** Planned end, inclusive; undefined while the complete length is unknown. */
  last: number | undefined;
  first: number;
  /** The next byte to arrive. */
  position: number;
  /** Who gives the bytes; undefined before anybody said so. */
  begunBy: Source | undefined;
  error: EddyError | undefined;
  ended = false;
  /** Pieces that are in, as long as readers may depend on this flight for them. */
  readonly held: HeldPieces;
  /** Stops the supply behind this flight. */
  readonly controller = new AbortController();
  /** Resolves once the supplier's head proved to be of this representation; rejects with the flight's error. */
  readonly head: Promise<void>;
  readonly #headSettled = Promise.withResolvers<void>();
  readonly #waiting = new Set<Reader>();
  #buffer: Buffer | undefined;
  #bufferFirst = 0;
  /** Bytes that came since readers were told; undefined: none has come yet, and the first ones are told of at once. */
  #untoldBytes: number | undefined;

  constructor(range: { first: number; last: number | undefined }, options: FlightOptions) {
    this.first = range.first;
    this.last = range.last;
    this.position = range.first;
    this.held = new HeldPieces(options.keeper, options.holding);
    this.head = this.#headSettled.promise;
    // A flight nobody primes may fail: its readers learn it from `error`.
    this.head.catch(() => {});
  }

  /** The head was checked: these bytes will come. An origin that ignores ranges starts at 0 instead of `first`. */
  begin(range: { first: number; last: number | undefined }, source: Source): void {
    this.first = range.first;
    this.position = range.first;
    this.last =
      this.last === undefined || range.first < this.first ? range.last : Math.min(this.last, range.last ?? this.last);
    this.begunBy = source;
    this.#headSettled.resolve();
  }

  /** Where its bytes count as coming from. */
  get source(): Source {
    return this.begunBy ?? 'origin';
  }

  covers(offset: number): boolean {
    return !this.ended && offset >= this.first && (this.last === undefined || offset <= this.last);
  }

  /** True once every planned byte is in; more bytes would not belong here. */
  get full(): boolean {
    return this.last !== undefined && this.position > this.last;
  }

  /** Copies a chunk in and wakes the readers. Bytes past `last` are dropped: another flight or a tier has them. */
  append(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.full) {
      const buffer = this.#buffer ?? this.#open();
      const used = this.position - this.#bufferFirst;
      const count = Math.min(
        chunk.length - at,
        buffer.length - used,
        (this.last ?? Number.MAX_SAFE_INTEGER) - this.position + 1,
      );
      chunk.copy(buffer, used, at, at + count);
      at += count;
      this.position += count;
      if (used + count === buffer.length) this.#commit(buffer);
    }
    this.#tell(at);
  }

  /** The supply ended as planned. */
  end(): void {
    if (this.ended) return;
    this.#flush();
    this.ended = true;
    this.#headSettled.resolve();
    this.#wake();
  }

  /** The supply broke off. What came before is right and stays. */
  fail(error: EddyError): void {
    if (this.ended) return;
    this.#flush();
    this.ended = true;
    this.error = error;
    this.#headSettled.reject(error);
    this.#wake();
  }

  /** Gives up the bytes from `offset` on to somebody else. */
  truncate(offset: number): void {
    this.last = offset - 1;
  }

  /**
   * Bytes from `offset` as far as they lie in one buffer; undefined when not here yet or no longer here. Valid in this
   * turn: who needs them longer holds their memory.
   */
  take(offset: number): Buffer | undefined {
    if (this.#buffer !== undefined && offset >= this.#bufferFirst && offset < this.position)
      return this.#buffer.subarray(offset - this.#bufferFirst, this.position - this.#bufferFirst);
    return this.held.take(offset);
  }

  /** Resolves when something happened: bytes came, the flight ended, or the reader was aborted. */
  async wait(reader: Reader): Promise<void> {
    this.#waiting.add(reader);
    try {
      await reader.sleep();
    } finally {
      this.#waiting.delete(reader);
    }
  }

  #open(): Buffer {
    const slotLeft = pieceBytes - (this.position % pieceBytes);
    const planned = this.last === undefined ? slotLeft : Math.min(slotLeft, this.last - this.position + 1);
    this.#bufferFirst = this.position;
    this.#buffer = PieceMemory.allocate(planned);
    return this.#buffer;
  }

  #commit(bytes: Buffer): void {
    this.#buffer = undefined;
    this.held.add(this.#bufferFirst, bytes, this.source);
  }

  #flush(): void {
    if (this.#buffer === undefined) return;
    const slot = this.#buffer;
    const filled = slot.subarray(0, this.position - this.#bufferFirst);
    // A short end must not pin a whole slot of memory for as long as it is stored.
    if (filled.length > 0) this.#commit(PieceMemory.copyOf(filled));
    this.#buffer = undefined;
    PieceMemory.of(slot)?.letGo();
  }

  /** Readers of what comes in little parts are woken for many of them together, but for the first, which is a viewer's first byte. */
  #tell(bytes: number): void {
    const before = this.#untoldBytes;
    this.#untoldBytes = (before ?? toldBytes) + bytes;
    if (this.#untoldBytes >= toldBytes) this.#wake();
    else if (before === 0) setImmediate(() => this.#wake());
  }

  #wake(): void {
    this.#untoldBytes &&= 0;
    for (const reader of this.#waiting) reader.wake();
  }
}
