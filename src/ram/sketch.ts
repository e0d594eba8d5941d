const rows = 4;
const countMax = 15;
/** Counters for each piece the sketch is made for, in every row. */
const countersPerPiece = 4;
const rowCountersMin = 1024;
const rowCountersMax = 2 ** 20;

/**
 * How often a piece was asked for lately: a count-min sketch of 4-bit counters in four rows, at most 2 MiB.
 * Estimates are never too low, up to the cap of 15; `halve` makes them forget.
 */
export class FrequencySketch {
  /** Eight counters to a word, rows one after the other. */
  readonly #words: Uint32Array;
  readonly #mask: number;

  /** `pieces`: how many different pieces it should tell apart well. */
  constructor(pieces: number) {
    const wanted = Math.min(Math.max(pieces * countersPerPiece, rowCountersMin), rowCountersMax);
    const rowCounters = 2 ** Math.ceil(Math.log2(wanted));
    this.#mask = rowCounters - 1;
    this.#words = new Uint32Array((rows * rowCounters) / 8);
  }

  /** Times counted since the last halvings, 0 .. 15. `hash` is 32 bits, well mixed. */
  estimate(hash: number): number {
    let least = countMax;
    for (let row = 0; row < rows; row++) least = Math.min(least, this.#at(this.#counter(hash, row)));
    return least;
  }

  /** Counts one more. Only the lowest of its counters rise: what others share stays as exact as it is. */
  count(hash: number): void {
    const before = this.estimate(hash);
    if (before === countMax) return;
    for (let row = 0; row < rows; row++) {
      const counter = this.#counter(hash, row);
      if (this.#at(counter) !== before) continue;
      const word = counter >>> 3;
      this.#words[word] = (this.#words[word] as number) + (1 << ((counter & 7) << 2));
    }
  }

  /** Halves every counter, so that yesterday's favourites give way. */
  halve(): void {
    const words = this.#words;
    for (let word = 0; word < words.length; word++) words[word] = ((words[word] as number) >>> 1) & 0x77777777;
  }

  #counter(hash: number, row: number): number {
    const mixed = Math.imul(hash ^ (hash >>> (row * 5 + 3)), 0x9e3779b1 + row * 0x3c6ef372) >>> 0;
    return row * (this.#mask + 1) + ((mixed ^ (mixed >>> 16)) & this.#mask);
  }

  #at(counter: number): number {
    return ((this.#words[counter >>> 3] as number) >>> ((counter & 7) << 2)) & countMax;
  }
}

/** 32 well mixed bits of two safe integers. */
export function hashOf(id: number, first: number): number {
  const high = Math.floor(id / 2 ** 32) ^ Math.imul(Math.floor(first / 2 ** 32), 0x27d4eb2f);
  let hash = Math.imul(id | 0, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 15) ^ (first | 0), 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 13), 0x165667b1);
  return (hash ^ (hash >>> 16)) >>> 0;
}
