const pieceBytes = 256 * 1024;

/** Reads of pieces, in order. A key is a piece; `sizes[key]` its bytes. */
export interface Trace {
  readonly name: string;
  readonly sizes: Int32Array;
  readonly accesses: Int32Array;
  /** Bytes of all different pieces read. */
  readonly footprintBytes: number;
}

/** The pieces of one file: `count` keys from `firstKey` on. */
export interface File {
  readonly firstKey: number;
  readonly count: number;
}

export class TraceBuilder {
  readonly #accesses: Int32Array;
  readonly #sizes: number[] = [];
  #length = 0;

  constructor(accesses: number) {
    this.#accesses = new Int32Array(accesses);
  }

  get full(): boolean {
    return this.#length === this.#accesses.length;
  }

  /** A new file, cut into pieces. */
  file(bytes: number): File {
    const firstKey = this.#sizes.length;
    for (let left = Math.ceil(bytes); left > 0; left -= pieceBytes) this.#sizes.push(Math.min(left, pieceBytes));
    return { firstKey, count: this.#sizes.length - firstKey };
  }

  /** Someone reads all of a file. */
  read({ firstKey, count }: File): void {
    for (let key = firstKey; key < firstKey + count && !this.full; key++) this.#accesses[this.#length++] = key;
  }

  build(name: string): Trace {
    const sizes = Int32Array.from(this.#sizes);
    const accesses = this.#accesses.subarray(0, this.#length);
    const footprintBytes = [...new Set(accesses)].reduce((sum, key) => sum + (sizes[key] as number), 0);
    return { name, sizes, accesses, footprintBytes };
  }
}
