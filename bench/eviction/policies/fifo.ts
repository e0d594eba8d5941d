import type { Budget, Policy } from './policy.ts';
import { KeyQueue } from './queue.ts';

/** First in, first out. */
export class Fifo implements Policy {
  readonly name: string = 'FIFO';
  protected readonly queue: KeyQueue;
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.queue = new KeyQueue(budget.sizes);
  }

  get bytes(): number {
    return this.queue.bytes;
  }

  access(key: number): boolean {
    if (this.queue.has(key)) return true;
    this.queue.push(key);
    while (this.queue.bytes > this.#budget.bytesMax) this.queue.shift();
    return false;
  }
}

/** Least recently used. */
export class Lru extends Fifo {
  override readonly name: string = 'LRU';

  override access(key: number): boolean {
    if (!this.queue.has(key)) return super.access(key);
    this.queue.delete(key);
    this.queue.push(key);
    return true;
  }
}
