import { type Libc, openLibc } from '../libc.ts';
import type { LentBytes, LoanNumber } from './messages.ts';

/** Where the arena is: the same for all threads of the process. */
export interface ArenaPlace {
  readonly fd: number;
  readonly address: bigint;
}

/**
 * The arena as a thread has it that is lent pieces of it: it sees the same memory, through buffers of its own. What is
 * taken is returned when no view of it is left here; until then the main thread keeps it as it is.
 */
export class LentMemory {
  readonly fd: number;
  readonly #address: bigint;
  readonly #libc: Libc<Record<never, never>>;
  readonly #offsets = new WeakMap<ArrayBufferLike, number>();
  readonly #collected: FinalizationRegistry<LoanNumber>;

  /** Throws where the C library cannot be called: then the main thread has no arena either. */
  constructor({ fd, address }: ArenaPlace, onReturned: (loan: LoanNumber) => void) {
    const libc = openLibc({});
    if (libc === undefined) throw new Error('an arena needs node:ffi');
    this.fd = fd;
    this.#address = address;
    this.#libc = libc;
    this.#collected = new FinalizationRegistry(onReturned);
  }

  take({ loan, offset, length }: Exclude<LentBytes, Uint8Array>): Buffer {
    const memory = this.#libc.memoryAt(this.#address + BigInt(offset), length);
    this.#offsets.set(memory, offset);
    this.#collected.register(memory, loan);
    return Buffer.from(memory);
  }

  /** Where in the arena these bytes are, as long as somebody holds the buffer; undefined: not in it. */
  offsetOf(bytes: Buffer): number | undefined {
    const offset = this.#offsets.get(bytes.buffer);
    return offset === undefined ? undefined : offset + bytes.byteOffset;
  }
}
