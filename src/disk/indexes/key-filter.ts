/** Of 16 bits a key with 4 probes: one of 400 keys that were never added seems to have been. */
const bitsOfKey = 16;
const probes = 4;

/** A Bloom filter of strings: those that were added, and a few others. */
export class KeyFilter {
  /** How many it is made for; with more of them, more others seem to have been added. */
  readonly keysMax: number;
  readonly #words: Uint32Array;
  readonly #mask: number;
  #keys = 0;

  /** `keysMax`: a power of two, from 2. */
  constructor(keysMax: number) {
    this.keysMax = keysMax;
    this.#words = new Uint32Array((keysMax * bitsOfKey) / 32);
    this.#mask = keysMax * bitsOfKey - 1;
  }

  get isFull(): boolean {
    return this.#keys >= this.keysMax;
  }

  add(key: string): void {
    const [first, step] = hashesOf(key);
    let isNew = false;
    for (let i = 0; i < probes; i++) {
      const bit = (first + Math.imul(i, step)) & this.#mask;
      const word = this.#words[bit >>> 5] ?? 0;
      const added = word | (1 << (bit & 31));
      isNew ||= added !== (word | 0);
      this.#words[bit >>> 5] = added;
    }
    if (isNew) this.#keys++;
  }

  /** False: it was never added. */
  mayHave(key: string): boolean {
    const [first, step] = hashesOf(key);
    for (let i = 0; i < probes; i++) {
      const bit = (first + Math.imul(i, step)) & this.#mask;
      if (((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }
}

/** Two that tell nothing of each other: FNV-1a, and the finalizer of MurmurHash3 on it, made odd. */
function hashesOf(key: string): readonly [number, number] {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return [mixed, Math.imul(hash ^ (mixed >>> 7), 0x9e3779b1) | 1];
}
