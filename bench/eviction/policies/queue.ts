/** An ordered set of keys that knows its bytes: constant time to add, remove and step from old to new. */
export class KeyQueue {
  readonly #sizes: Int32Array;
  readonly #older: Int32Array;
  readonly #newer: Int32Array;
  readonly #in: Uint8Array;
  /** -1 when empty. */
  oldest = -1;
  newest = -1;
  bytes = 0;

  constructor(sizes: Int32Array) {
    this.#sizes = sizes;
    this.#older = new Int32Array(sizes.length);
    this.#newer = new Int32Array(sizes.length);
    this.#in = new Uint8Array(sizes.length);
  }

  has(key: number): boolean {
    return this.#in[key] === 1;
  }

  /** The next newer key, or -1. */
  newerThan(key: number): number {
    return this.#newer[key] as number;
  }

  /** Adds a key that is not in, as the newest. */
  push(key: number): void {
    this.#in[key] = 1;
    this.#older[key] = this.newest;
    this.#newer[key] = -1;
    if (this.newest >= 0) this.#newer[this.newest] = key;
    else this.oldest = key;
    this.newest = key;
    this.bytes += this.#sizes[key] as number;
  }

  /** Removes a key that is in. */
  delete(key: number): void {
    const older = this.#older[key] as number;
    const newer = this.#newer[key] as number;
    if (older >= 0) this.#newer[older] = newer;
    else this.oldest = newer;
    if (newer >= 0) this.#older[newer] = older;
    else this.newest = older;
    this.#in[key] = 0;
    this.bytes -= this.#sizes[key] as number;
  }

  /** Removes the oldest and returns it; -1 when empty. */
  shift(): number {
    const key = this.oldest;
    if (key >= 0) this.delete(key);
    return key;
  }
}
