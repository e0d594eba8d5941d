import type { Budget, Policy } from './policy.ts';
import { KeyQueue } from './queue.ts';

/** ARC (FAST 2003) on bytes: a queue of what was read once, one of what was read again, and ghosts that set the border. */
export class Arc implements Policy {
  readonly name = 'ARC';
  readonly #budget: Budget;
  readonly #once: KeyQueue;
  readonly #again: KeyQueue;
  readonly #onceGhosts: KeyQueue;
  readonly #againGhosts: KeyQueue;
  #onceTarget = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.#once = new KeyQueue(budget.sizes);
    this.#again = new KeyQueue(budget.sizes);
    this.#onceGhosts = new KeyQueue(budget.sizes);
    this.#againGhosts = new KeyQueue(budget.sizes);
  }

  get bytes(): number {
    return this.#once.bytes + this.#again.bytes;
  }

  access(key: number): boolean {
    const holder = [this.#once, this.#again].find((each) => each.has(key));
    if (holder !== undefined) {
      holder.delete(key);
      this.#again.push(key);
      return true;
    }
    const known = this.#learn(key);
    const size = this.#budget.sizes[key] as number;
    while (this.bytes > 0 && this.bytes + size > this.#budget.bytesMax) this.#evict();
    (known ? this.#again : this.#once).push(key);
    this.#trimGhosts();
    return false;
  }

  /** Whether the piece is remembered; if so its ghost moves the border. */
  #learn(key: number): boolean {
    const size = this.#budget.sizes[key] as number;
    const [once, again] = [this.#onceGhosts, this.#againGhosts];
    if (once.has(key)) {
      const step = size * Math.max(1, again.bytes / once.bytes);
      this.#onceTarget = Math.min(this.#budget.bytesMax, this.#onceTarget + step);
      once.delete(key);
      return true;
    }
    if (!again.has(key)) return false;
    const step = size * Math.max(1, once.bytes / again.bytes);
    this.#onceTarget = Math.max(0, this.#onceTarget - step);
    again.delete(key);
    return true;
  }

  #evict(): void {
    if (this.#once.bytes > this.#onceTarget || this.#again.oldest < 0) this.#onceGhosts.push(this.#once.shift());
    else this.#againGhosts.push(this.#again.shift());
  }

  #trimGhosts(): void {
    const { bytesMax } = this.#budget;
    const [once, again] = [this.#onceGhosts, this.#againGhosts];
    while (once.oldest >= 0 && this.#once.bytes + once.bytes > bytesMax) once.shift();
    while (again.oldest >= 0 && this.bytes + once.bytes + again.bytes > 2 * bytesMax) again.shift();
  }
}
