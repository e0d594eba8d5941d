import { closeSync, openSync } from 'node:fs';

/** linux/fs.h: only what is in the page cache. */
const RWF_NOWAIT = 8;

/** descriptor, vectors, their number, position, flags */
const preadv2 = { arguments: ['int32', 'uint64', 'int32', 'int64', 'int32'], return: 'int64' } as const;

type Foreign = typeof import('node:ffi');
type Library = ReturnType<typeof loadLibrary>;

/** Reads of what the page cache holds, and nothing else, so that a thread never waits for a device. */
export class ResidentReads {
  readonly #library: Library;
  readonly #foreign: Foreign;
  /** One iovec: address, length. */
  readonly #vector = new BigUint64Array(2);
  readonly #vectorAt: bigint;

  private constructor(foreign: Foreign) {
    this.#foreign = foreign;
    this.#library = loadLibrary(foreign);
    this.#vectorAt = foreign.getRawPointer(this.#vector);
  }

  /** Undefined where the system cannot, or the file system: `path` is a file that was read just now. */
  static on(path: string): ResidentReads | undefined {
    if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) return undefined;
    try {
      const foreign = foreignFunctions();
      if (foreign === undefined) return undefined;
      const reads = new ResidentReads(foreign);
      return reads.#canRead(path) ? reads : undefined;
    } catch {
      return undefined;
    }
  }

  /** Fills `into` from `position` on. False: not all of that is in memory; `into` may have been written to. */
  read(descriptor: number, into: Buffer, position: number): boolean {
    const { functions } = this.#library;
    this.#vector[0] = this.#foreign.getRawPointer(into);
    this.#vector[1] = BigInt(into.length);
    // As preadv2(2): bytes that were read, fewer where the rest is not in memory, -1 for none.
    const bytes = functions.preadv2(descriptor, this.#vectorAt, 1, BigInt(position), RWF_NOWAIT);
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

function loadLibrary({ dlopen }: Foreign) {
  return dlopen(null, { preadv2 });
}

/** Node says once on stderr that they are experimental. It is known here: without them everything works as well. */
function foreignFunctions(): Foreign | undefined {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = emitWarning;
  }
}
