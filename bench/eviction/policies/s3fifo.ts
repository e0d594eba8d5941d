import type { Budget, Policy } from './policy.ts';
import { KeyQueue } from './queue.ts';

const smallShare = 0.1;
const hitsMax = 3;

/** S3-FIFO (SOSP 2023): a small FIFO for newcomers, a main FIFO with second chances, a ghost of what left the small one. */
export class S3Fifo implements Policy {
  readonly name = 'S3-FIFO';
  readonly #budget: Budget;
  readonly #small: KeyQueue;
  readonly #main: KeyQueue;
  readonly #ghost: KeyQueue;
  readonly #hits: Uint8Array;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.#small = new KeyQueue(budget.sizes);
    this.#main = new KeyQueue(budget.sizes);
    this.#ghost = new KeyQueue(budget.sizes);
    this.#hits = new Uint8Array(budget.sizes.length);
  }

  get bytes(): number {
    return this.#small.bytes + this.#main.bytes;
  }

  access(key: number): boolean {
    if (this.#small.has(key) || this.#main.has(key)) {
      this.#hits[key] = Math.min((this.#hits[key] as number) + 1, hitsMax);
      return true;
    }
    const known = this.#ghost.has(key);
    if (known) this.#ghost.delete(key);
    while (this.bytes > 0 && this.bytes + (this.#budget.sizes[key] as number) > this.#budget.bytesMax) this.#evict();
    this.#hits[key] = 0;
    (known ? this.#main : this.#small).push(key);
    return false;
  }

  #evict(): void {
    if (this.#small.bytes >= this.#budget.bytesMax * smallShare || this.#main.bytes === 0) this.#evictSmall();
    else this.#evictMain();
  }

  /** What was read again moves on to the main queue; the first that was not leaves and is remembered. */
  #evictSmall(): void {
    for (let key = this.#small.shift(); key >= 0; key = this.#small.shift()) {
      if ((this.#hits[key] as number) > 0) {
        this.#hits[key] = 0;
        this.#main.push(key);
        continue;
      }
      this.#ghost.push(key);
      while (this.#ghost.bytes > this.#budget.bytesMax * (1 - smallShare)) this.#ghost.shift();
      return;
    }
  }

  #evictMain(): void {
    for (let key = this.#main.shift(); key >= 0; key = this.#main.shift()) {
      const hits = this.#hits[key] as number;
      if (hits === 0) return;
      this.#hits[key] = hits - 1;
      this.#main.push(key);
    }
  }
}
