import { FrequencySketch, hashOf } from '../../../src/ram/sketch.ts';
import type { Budget, Policy } from './policy.ts';

export interface RingOptions {
  /** Pieces read at least this often since they were written are written again when their generation leaves. */
  readonly reappendHits?: number;
  /** Instead of hits since the write: lately used this often, by a sketch that remembers across evictions; most used first. */
  readonly reappendUses?: number;
  /** At most this share of a generation is written again. */
  readonly reappendShareMax?: number;
  /** Which pieces are written at all: all, or those missed before (remembered by a sketch). */
  readonly admission?: 'all' | 'second-miss';
  readonly generations?: number;
}

interface Generation {
  readonly number: number;
  readonly keys: number[];
  bytes: number;
}

/** The disk tier's layout: generations written in order, the oldest dropped whole, some of its pieces written again. */
export class Ring implements Policy {
  readonly name: string;
  /** Bytes written because a piece was new. */
  admittedBytes = 0;
  /** Bytes written again. */
  reappendedBytes = 0;
  bytes = 0;
  readonly #budget: Budget;
  readonly #options: Required<RingOptions>;
  readonly #generationBytes: number;
  readonly #generations: Generation[] = [];
  /** By key: the number of the generation that holds it, 0 for none. */
  readonly #holder: Int32Array;
  readonly #hits: Uint8Array;
  readonly #sketch: FrequencySketch;
  readonly #countsPerHalving: number;
  #counted = 0;
  #current: Generation = { number: 1, keys: [], bytes: 0 };

  constructor(budget: Budget, options: RingOptions = {}) {
    const defaults = { reappendHits: 0, reappendUses: 0, reappendShareMax: 0.5 };
    this.#options = { ...defaults, admission: 'all', generations: 16, ...options };
    this.name = nameOf(this.#options);
    this.#budget = budget;
    this.#generationBytes = budget.bytesMax / this.#options.generations;
    this.#holder = new Int32Array(budget.sizes.length);
    this.#hits = new Uint8Array(budget.sizes.length);
    this.#sketch = new FrequencySketch(budget.bytesMax / 65536);
    this.#countsPerHalving = Math.max(1000, (budget.bytesMax / (256 * 1024)) * 10);
    this.#generations.push(this.#current);
  }

  access(key: number): boolean {
    this.#use(key);
    if (this.#holder[key] !== 0) {
      this.#hits[key] = Math.min((this.#hits[key] as number) + 1, 255);
      return true;
    }
    if (this.#options.admission === 'second-miss' && this.#uses(key) < 2) return false;
    this.admittedBytes += this.#budget.sizes[key] as number;
    this.#append(key);
    return false;
  }

  #use(key: number): void {
    const { reappendUses, admission } = this.#options;
    if (reappendUses === 0 && admission === 'all') return;
    this.#sketch.count(hashOf(1, key));
    this.#counted += 1;
    if (this.#counted < this.#countsPerHalving) return;
    this.#sketch.halve();
    this.#counted = 0;
  }

  #append(key: number): void {
    const size = this.#budget.sizes[key] as number;
    if (this.#current.bytes + size > this.#generationBytes) this.#advance();
    this.#current.keys.push(key);
    this.#current.bytes += size;
    this.bytes += size;
    this.#holder[key] = this.#current.number;
    this.#hits[key] = 0;
  }

  #advance(): void {
    this.#current = { number: this.#current.number + 1, keys: [], bytes: 0 };
    this.#generations.push(this.#current);
    if (this.#generations.length <= this.#options.generations) return;
    const leaving = this.#generations.shift() as Generation;
    const kept = this.#keptOf(leaving);
    for (const key of leaving.keys) this.#holder[key] = 0;
    this.bytes -= leaving.bytes;
    for (const key of kept) {
      this.reappendedBytes += this.#budget.sizes[key] as number;
      this.#append(key);
    }
  }

  #keptOf({ keys }: Generation): number[] {
    let left = this.#generationBytes * this.#options.reappendShareMax;
    return this.#worthy(keys).filter((key) => {
      left -= this.#budget.sizes[key] as number;
      return left >= 0;
    });
  }

  #worthy(keys: readonly number[]): number[] {
    const { reappendHits, reappendUses } = this.#options;
    if (reappendHits > 0) return keys.filter((key) => (this.#hits[key] as number) >= reappendHits);
    if (reappendUses === 0) return [];
    const used = keys.map((key) => ({ key, uses: this.#uses(key) })).filter(({ uses }) => uses >= reappendUses);
    return used.sort((a, b) => b.uses - a.uses).map(({ key }) => key);
  }

  #uses(key: number): number {
    return this.#sketch.estimate(hashOf(1, key));
  }
}

function nameOf(options: Required<RingOptions>): string {
  const { reappendHits, reappendUses, reappendShareMax, admission } = options;
  const parts: string[] = [];
  if (reappendHits > 0) parts.push(`hits >= ${reappendHits}`);
  if (reappendUses > 0) parts.push(`uses >= ${reappendUses}`);
  if (parts.length === 0) parts.push('FIFO');
  else if (reappendShareMax !== 0.5) parts.push(`cap ${reappendShareMax * 100}%`);
  if (admission !== 'all') parts.push('second miss only');
  return `ring, ${parts.join(', ')}`;
}
