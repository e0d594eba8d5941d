import type { Entry, EntryStore, KeySelection, PieceSpan, RepresentationId, Tier } from '../cache/types.ts';
import type { DiskState } from '../disk/options.ts';
import type { DiskTier } from '../disk/tier.ts';
import { EddyError, messageOf } from '../errors.ts';

interface LateDiskOptions {
  /**
   * Opens the store without what it holds from before: what was purged or replaced since the node started is still in
   * there, and nobody keeps a list of it.
   */
  readonly openEmpty: () => Promise<DiskTier>;
  /** Why it could not be opened at the start. */
  readonly error: unknown;
  readonly retryIntervalMs: number;
}

/** The disk tier of a node whose disk could not be used when it started: it has nothing until the disk can be. */
export class LateDisk implements Tier, EntryStore {
  readonly name = 'disk';
  readonly #options: LateDiskOptions;
  #tier: DiskTier | undefined;
  #error: unknown;
  #timer: NodeJS.Timeout | undefined;
  #trying: Promise<void> | undefined;
  #closed = false;

  constructor(options: LateDiskOptions) {
    this.#options = options;
    this.#error = options.error;
    this.#schedule();
  }

  find(id: RepresentationId, offset: number): PieceSpan | undefined {
    return this.#tier?.find(id, offset);
  }

  read(id: RepresentationId, first: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.#tier?.read(id, first);
  }

  put(id: RepresentationId, first: number, bytes: Buffer): void {
    this.#tier?.put(id, first, bytes);
  }

  reopen(id: RepresentationId): Promise<void> | undefined {
    return this.#tier?.reopen(id);
  }

  isSole(bytes: Buffer): boolean {
    return this.#tier?.isSole(bytes) ?? false;
  }

  remove(id: RepresentationId): void {
    this.#tier?.remove(id);
  }

  async load(key: string, signal: AbortSignal): Promise<Entry | undefined> {
    return this.#tier?.load(key, signal);
  }

  save(entry: Entry): void {
    this.#tier?.save(entry);
  }

  delete(key: string): void {
    this.#tier?.delete(key);
  }

  async *keys(which: KeySelection, signal: AbortSignal): AsyncIterable<string> {
    if (this.#tier !== undefined) yield* this.#tier.keys(which, signal);
  }

  stats(): { bytes: number; bytesMax: number; pieces: number } {
    return this.#tier?.stats() ?? { bytes: 0, bytesMax: 0, pieces: 0 };
  }

  health(): { state: DiskState; reason?: string } {
    return this.#tier?.health() ?? failureOf(this.#error);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#trying;
    await this.#tier?.close();
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#trying = this.#try();
    }, this.#options.retryIntervalMs).unref();
  }

  async #try(): Promise<void> {
    try {
      this.#tier = await this.#options.openEmpty();
    } catch (error) {
      this.#error = error;
      if (!this.#closed) this.#schedule();
    }
  }
}

export function failureOf(error: unknown): { state: 'full' | 'failed'; reason: string } {
  const state = error instanceof EddyError && error.code === 'disk-full' ? 'full' : 'failed';
  return { state, reason: messageOf(error) };
}
