/** A repeatable stream of numbers in 0 .. 1 (mulberry32): the same seed gives the same trace everywhere. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, low .. high inclusive. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** Between low and high, each factor as likely as any other. */
  scaled(low: number, high: number): number {
    return low * (high / low) ** this.next();
  }
}

/** Ranks 0 .. count - 1, rank r with a weight of 1 / (r + 1) ** alpha. */
export class Zipf {
  readonly #cumulative: number[] = [];
  readonly #total: number;

  constructor(count: number, alpha: number) {
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -alpha;
      this.#cumulative.push(sum);
    }
    this.#total = sum;
  }

  rank(random: Random): number {
    const wanted = random.next() * this.#total;
    let low = 0;
    let high = this.#cumulative.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#cumulative[middle] as number) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
