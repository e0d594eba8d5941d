import { closeSync, openSync } from 'node:fs';
import { type Libc, openLibc } from '../../libc.ts';

/** linux/fs.h: only what is in the page cache. */
const RWF_NOWAIT = 8;

/** descriptor, vectors, their number, position, flags */
const functions = {
  preadv2: { arguments: ['int32', 'uint64', 'int32', 'int64', 'int32'], return: 'int64' },
} as const;

/** Reads of what the page cache holds, and nothing else, so that a thread never waits for a device. */
export class ResidentReads {
  readonly #libc: Libc<typeof functions>;
  /** One iovec: address, length. */
  readonly #vector = new BigUint64Array(2);
  readonly #vectorAt: bigint;

  private constructor(libc: Libc<typeof functions>) {
    this.#libc = libc;
    this.#vectorAt = libc.addressOf(this.#vector.buffer);
  }

  /** Undefined where the system cannot, or the file system: `path` is a file that was read just now. */
  static on(path: string): ResidentReads | undefined {
    const libc = openLibc(functions);
    if (libc === undefined) return undefined;
    const reads = new ResidentReads(libc);
    try {
      return reads.#canRead(path) ? reads : undefined;
    } catch {
      return undefined;
    }
  }

  /** Fills `into` from `position` on. False: not all of that is in memory; `into` may have been written to. */
  read(descriptor: number, into: Buffer<ArrayBuffer>, position: number): boolean {
    const { call, addressOf } = this.#libc;
    this.#vector[0] = addressOf(into.buffer) + BigInt(into.byteOffset);
    this.#vector[1] = BigInt(into.length);
    // As preadv2(2): bytes that were read, fewer where the rest is not in memory, -1 for none.
    const bytes = call.preadv2(descriptor, this.#vectorAt, 1, BigInt(position), RWF_NOWAIT);
    return Number(bytes) === into.length;
  }

  #canRead(path: string): boolean {
    const descriptor = openSync(path, 'r');
    try {
      return this.read(descriptor, Buffer.allocUnsafeSlow(1), 0);
    } finally {
      closeSync(descriptor);
    }
  }
}
