import { FrequencySketch, hashOf } from '../../../src/ram/sketch.ts';
import type { Budget, Policy } from './policy.ts';
import { KeyQueue } from './queue.ts';

/** The sketch halves after this many uses per resident piece. */
const usesPerPiece = 10;

export interface TinyLfuOptions {
  /** Share of the budget through which newcomers pass. */
  readonly window: number;
  /** Against whom a candidate must win: the first to go, or all who would have to go together. */
  readonly contest?: 'first' | 'sum' | 'per-byte';
  /** Share of the main part for what was read again there; 0: the main part is a plain LRU. */
  readonly protected?: number;
  /** Reads closer together than this many times the number of resident pieces count once. */
  readonly burst?: number;
}

/** W-TinyLFU (ACM ToS 2017) on bytes: a window LRU, then a segmented LRU that is entered by being used more often. */
export class TinyLfu implements Policy {
  readonly name: string;
  readonly #budget: Budget;
  readonly #options: Required<TinyLfuOptions>;
  readonly #window: KeyQueue;
  readonly #probation: KeyQueue;
  readonly #protected: KeyQueue;
  readonly #sketch: FrequencySketch;
  readonly #hash: Uint32Array;
  readonly #usedAt: Float64Array;
  #accesses = 0;
  #counted = 0;
  #pieces = 0;

  constructor(budget: Budget, options: TinyLfuOptions) {
    this.#budget = budget;
    this.#options = { contest: 'first', protected: 0.8, burst: 0, ...options };
    this.name = nameOf(this.#options);
    this.#window = new KeyQueue(budget.sizes);
    this.#probation = new KeyQueue(budget.sizes);
    this.#protected = new KeyQueue(budget.sizes);
    this.#sketch = new FrequencySketch(budget.bytesMax / 65536);
    this.#hash = Uint32Array.from(budget.sizes, (_, key) => hashOf(1, key));
    this.#usedAt = new Float64Array(budget.sizes.length);
  }

  get bytes(): number {
    return this.#window.bytes + this.#mainBytes;
  }

  access(key: number): boolean {
    this.#accesses += 1;
    if (this.#window.has(key)) this.#renew(key, this.#window);
    else if (this.#protected.has(key)) this.#renew(key, this.#protected);
    else if (this.#probation.has(key)) this.#promote(key);
    else {
      this.#use(key);
      this.#pieces += 1;
      this.#window.push(key);
      while (this.#window.bytes > this.#budget.bytesMax * this.#options.window) this.#leaveWindow();
      return false;
    }
    if (this.#accesses - (this.#usedAt[key] as number) > this.#pieces * this.#options.burst) this.#use(key);
    return true;
  }

  get #mainBytes(): number {
    return this.#probation.bytes + this.#protected.bytes;
  }

  #renew(key: number, queue: KeyQueue): void {
    queue.delete(key);
    queue.push(key);
  }

  #promote(key: number): void {
    if (this.#options.protected === 0) {
      this.#renew(key, this.#probation);
      return;
    }
    this.#probation.delete(key);
    this.#protected.push(key);
    const bytesMax = this.#budget.bytesMax * (1 - this.#options.window) * this.#options.protected;
    while (this.#protected.bytes > bytesMax) this.#probation.push(this.#protected.shift());
  }

  #use(key: number): void {
    this.#usedAt[key] = this.#accesses;
    this.#sketch.count(this.#hash[key] as number);
    this.#counted += 1;
    if (this.#counted < Math.max(1000, this.#pieces * usesPerPiece)) return;
    this.#sketch.halve();
    this.#counted = 0;
  }

  #leaveWindow(): void {
    const candidate = this.#window.shift();
    const losers = this.#losersTo(candidate);
    this.#pieces -= losers?.length ?? 1;
    if (losers === undefined) return;
    for (const loser of losers) (this.#probation.has(loser) ? this.#probation : this.#protected).delete(loser);
    this.#probation.push(candidate);
  }

  /** Who must go for the candidate; undefined when it loses. */
  #losersTo(candidate: number): number[] | undefined {
    const losers: number[] = [];
    const mainBytesMax = this.#budget.bytesMax * (1 - this.#options.window);
    let lacking = this.#mainBytes + (this.#budget.sizes[candidate] as number) - mainBytesMax;
    let worth = this.#worth(candidate);
    for (const queue of [this.#probation, this.#protected]) {
      for (let victim = queue.oldest; lacking > 0 && victim >= 0; victim = queue.newerThan(victim)) {
        const against = this.#worth(victim);
        if (worth <= against) return undefined;
        if (this.#options.contest === 'sum') worth -= against;
        losers.push(victim);
        lacking -= this.#budget.sizes[victim] as number;
      }
    }
    return lacking > 0 ? undefined : losers;
  }

  #worth(key: number): number {
    const uses = this.#sketch.estimate(this.#hash[key] as number);
    return this.#options.contest === 'per-byte' ? uses / (this.#budget.sizes[key] as number) : uses;
  }
}

function nameOf({ window, contest, protected: kept, burst }: Required<TinyLfuOptions>): string {
  const parts = [`window ${window * 100}%`];
  if (contest !== 'first') parts.push(`contest by ${contest}`);
  if (kept === 0) parts.push('main LRU');
  if (burst > 0) parts.push(`bursts of ${burst}`);
  return `W-TinyLFU ${parts.join(', ')}`;
}
