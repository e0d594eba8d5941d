/** The last few things used, at most twice `sizeMax`; older ones are forgotten without anybody asking. */
export class Recent<K, V> {
  readonly #sizeMax: number;
  #newer = new Map<K, V>();
  #older = new Map<K, V>();

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get(key: K): V | undefined {
    const value = this.#newer.get(key);
    if (value !== undefined) return value;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  /** What is known of the key, or what `make` makes of it, which is then known. */
  getOrMake(key: K, make: (key: K) => V): V {
    const known = this.get(key);
    if (known !== undefined) return known;
    const made = make(key);
    this.set(key, made);
    return made;
  }

  set(key: K, value: V): void {
    if (this.#newer.size >= this.#sizeMax) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }
}
