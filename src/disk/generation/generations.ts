import { statfs } from 'node:fs/promises';
import { dropDirectory } from '../database/recovery.ts';
import type { Generation } from './generation.ts';
import {
  createGeneration,
  type FoundGenerations,
  type GenerationsOptions,
  openGeneration,
} from './open-generations.ts';

/** The generations of a store: one that is being filled, and the sealed ones before it. */
export class Generations {
  readonly #options: GenerationsOptions;
  readonly #byNumber = new Map<number, Generation>();
  #active: Generation;
  #nextNumber: number;
  /** Generations that the index knows of, but that are no more. */
  readonly missing: Set<number>;

  constructor(options: GenerationsOptions, found: FoundGenerations) {
    this.#options = options;
    for (const generation of found.sealed) this.#byNumber.set(generation.number, generation);
    this.#byNumber.set(found.active.number, found.active);
    this.#active = found.active;
    this.#nextNumber = found.active.number + 1;
    this.missing = new Set(found.missing);
  }

  get active(): Generation {
    return this.#active;
  }

  get count(): number {
    return this.#byNumber.size;
  }

  get bytes(): number {
    let bytes = 0;
    for (const generation of this.#byNumber.values()) bytes += generation.bytes;
    return bytes;
  }

  get pieces(): number {
    let pieces = 0;
    for (const generation of this.#byNumber.values()) pieces += generation.pieces;
    return pieces;
  }

  get(number: number): Generation | undefined {
    return this.#byNumber.get(number);
  }

  /** The one to leave next. */
  get oldestSealed(): Generation | undefined {
    for (const generation of this.#byNumber.values()) if (generation !== this.#active) return generation;
    return undefined;
  }

  /** A sealed one of whose pieces none is needed. Without any there is nothing to gain: entries would go to the next one. */
  get emptySealed(): Generation | undefined {
    for (const generation of this.#byNumber.values()) {
      if (generation !== this.#active && generation.sequence > 0 && generation.pieces <= 0) return generation;
    }
    return undefined;
  }

  /** Sealed ones whose last pieces a failure kept from their tables. */
  get unflushed(): Generation[] {
    return [...this.#byNumber.values()].filter((each) => each !== this.#active && !each.isFlushed);
  }

  /** Starts a new generation. The one before stays readable and is returned, to be sealed. */
  async rollOver(): Promise<Generation> {
    const before = this.#active;
    const created = await createGeneration(this.#nextNumber, this.#options);
    this.#nextNumber++;
    this.#byNumber.set(created.number, created);
    this.#active = created;
    return before;
  }

  /** From here on its pieces are gone; then it is closed, behind its readers, and deleted. */
  async destroy(generation: Generation): Promise<void> {
    this.#byNumber.delete(generation.number);
    await generation.destroy();
  }

  /** A generation that takes no writes any more is opened anew, which flushes it; if it cannot be, it is dropped. */
  async reopen(generation: Generation): Promise<void> {
    this.#byNumber.delete(generation.number);
    await generation.close();
    const state = { bytes: generation.bytes, sequence: generation.sequence, pieces: generation.pieces };
    const reopened = await openGeneration(generation.number, this.#options, state).catch(() => undefined);
    if (reopened === undefined) {
      this.missing.add(generation.number);
      await dropDirectory(generation.directory);
      return;
    }
    this.#byNumber.set(reopened.number, reopened);
    this.#sort();
  }

  /** Bytes that the file system has left; infinite where it does not say. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize, blocks } = await statfs(this.#options.directory);
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#byNumber.values()].map((generation) => generation.close()));
  }

  #sort(): void {
    const sorted = [...this.#byNumber].sort(([a], [b]) => a - b);
    this.#byNumber.clear();
    for (const [number, generation] of sorted) this.#byNumber.set(number, generation);
  }
}
