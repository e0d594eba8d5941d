import type { Budget, Policy } from './policy.ts';
import { KeyQueue } from './queue.ts';

/** SIEVE (NSDI 2024): a FIFO whose hand goes from old to new, evicts what was not read and spares what was, once. */
export class Sieve implements Policy {
  readonly name = 'SIEVE';
  readonly #budget: Budget;
  readonly #queue: KeyQueue;
  readonly #visited: Uint8Array;
  #hand = -1;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.#queue = new KeyQueue(budget.sizes);
    this.#visited = new Uint8Array(budget.sizes.length);
  }

  get bytes(): number {
    return this.#queue.bytes;
  }

  access(key: number): boolean {
    if (this.#queue.has(key)) {
      this.#visited[key] = 1;
      return true;
    }
    while (this.#queue.oldest >= 0 && this.#queue.bytes + (this.#budget.sizes[key] as number) > this.#budget.bytesMax)
      this.#evict();
    this.#queue.push(key);
    return false;
  }

  #evict(): void {
    let at = this.#hand >= 0 ? this.#hand : this.#queue.oldest;
    while (this.#visited[at] === 1) {
      this.#visited[at] = 0;
      at = this.#queue.newerThan(at);
      if (at < 0) at = this.#queue.oldest;
    }
    this.#hand = this.#queue.newerThan(at);
    this.#queue.delete(at);
  }
}
