import { pieceBytes } from '../../cache/types.ts';
import type { Generation } from '../generation/generation.ts';
import { generationRecordsMax } from '../options.ts';
import { pieceHeaderBytes } from '../record/piece-record.ts';
import type { StoreParts } from '../store/store-parts.ts';
import { IdleFlush } from './idle-flush.ts';
import { Lull } from './lull.ts';
import { reclaim } from './reclaim.ts';
import { trim } from './trim.ts';
import { applyRemovals, writeEntries } from './write-entries.ts';
import { giveUpQueued, writePieces } from './write-pieces.ts';

/** The largest piece there is. */
const recordBytesMax = pieceBytes + pieceHeaderBytes;
/** Pieces of the largest size that are written together, if so many wait: each batch costs two turns of the loop. */
const batchPieces = 4;
/** While pieces wait, entries are written after so many batches of them: they cost three turns more, and collect meanwhile. */
const batchesPerEntries = 8;
/** A batch takes at most this share of a generation, but at least one piece. */
const batchShareMax = 1 / 16;

/**
 * The one writer of a store: whatever is queued goes to disk from here, one batch at a time, since several at once
 * starve the readers. It stops at the first failure, and goes on when it is resumed.
 */
export class Writer {
  readonly #parts: StoreParts;
  readonly #onFailure: (error: unknown) => void;
  /** As large as a batch may be. */
  readonly #scratch: Buffer;
  readonly #waiting = new Set<() => void>();
  #batches = 0;
  #running = false;
  #paused = false;
  #trimmed = false;
  readonly #flush = new IdleFlush(() => this.wake());
  readonly #lull = new Lull(() => this.wake());

  constructor(parts: StoreParts, onFailure: (error: unknown) => void) {
    this.#parts = parts;
    this.#onFailure = onFailure;
    const share = Math.floor(parts.settings.generationBytes * batchShareMax);
    this.#scratch = Buffer.allocUnsafeSlow(Math.max(recordBytesMax, Math.min(batchPieces * recordBytesMax, share)));
  }

  /** Something was queued that is to be written at once. */
  wake(): void {
    this.#lull.cancel();
    if (!this.#running && !this.#paused) void this.#run();
  }

  /** Something was queued that can wait for a lull, as long as there is plenty of room in the queue. */
  wakeInLull(): void {
    if (this.#running || this.#paused) return;
    if (this.#parts.pieceQueue.isFilling) this.wake();
    else this.#lull.await();
  }

  /** Resolves when nothing is left to write, or nothing can be written. */
  async idle(): Promise<void> {
    do await this.turned();
    while (this.#running);
  }

  /** Resolves when something was written, or nothing is being written. */
  turned(): Promise<void> {
    if (this.#lull.awaited) this.wake();
    return this.#running ? new Promise((resolve) => this.#waiting.add(resolve)) : Promise.resolve();
  }

  async pause(): Promise<void> {
    this.#paused = true;
    this.#flush.cancel();
    this.#lull.cancel();
    await this.idle();
  }

  resume(): void {
    this.#paused = false;
    this.#trimmed = false;
    this.wake();
  }

  /** Tries the disk: a record in the newest generation, and its state in the index. Only while paused. */
  async probe(): Promise<void> {
    const { generations, pieceIndex } = this.#parts;
    await generations.active.append([{ id: 0, first: 0, bytes: Buffer.alloc(4096) }], this.#scratch);
    await generations.active.seal();
    await pieceIndex.saveStates([generations.active]);
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (!this.#paused && this.#hasWork()) {
        await this.#turn();
        this.#notify();
      }
    } catch (error) {
      this.#paused = true;
      giveUpQueued(this.#parts);
      this.#onFailure(error);
    } finally {
      this.#running = false;
      this.#notify();
      if (!this.#paused) this.#flush.rest(this.#parts.generations.active.unflushedBytes);
    }
  }

  #hasWork(): boolean {
    const { pieceQueue, entryQueue, removals } = this.#parts;
    if (!this.#trimmed || this.#flush.due) return true;
    return pieceQueue.length > 0 || entryQueue.length > 0 || removals.size > 0 || entryQueue.distrusted;
  }

  /** Removals go first: a piece that was offered before its removal is not in the queue any more. */
  async #turn(): Promise<void> {
    if (!this.#trimmed) {
      for (const number of [...this.#parts.generations.missing]) {
        await reclaim(this.#parts, number, { scratch: this.#scratch });
      }
      await trim(this.#parts, this.#scratch);
      this.#trimmed = true;
    }
    if (this.#parts.removals.size > 0) await this.#applyRemovals();
    const { pieceQueue, generations } = this.#parts;
    if (pieceQueue.length > 0) await writePieces(this.#parts, await this.#generationWithRoom(), this.#scratch);
    else if (this.#flush.due) await generations.active.seal();
    this.#flush.cancel();
    await this.#distrust();
    if (this.#entriesAreDue()) await writeEntries(this.#parts, await this.#generationWithRoom());
  }

  #entriesAreDue(): boolean {
    const { pieceQueue, entryQueue } = this.#parts;
    if (entryQueue.length === 0) return false;
    this.#batches++;
    if (pieceQueue.length > 0 && this.#batches < batchesPerEntries) return false;
    this.#batches = 0;
    return true;
  }

  async #applyRemovals(): Promise<void> {
    await applyRemovals(this.#parts);
    const { generations } = this.#parts;
    for (let empty = generations.emptySealed; empty !== undefined; empty = generations.emptySealed) {
      await reclaim(this.#parts, empty.number, { scratch: this.#scratch, early: true });
    }
  }

  /** Deletions were lost: nothing that is stored may be believed. */
  async #distrust(): Promise<void> {
    const { entryQueue, entryIndex } = this.#parts;
    if (!entryQueue.distrusted) return;
    await entryIndex.clear();
    entryQueue.trust();
  }

  async #generationWithRoom(): Promise<Generation> {
    const { generations, settings } = this.#parts;
    const { active } = generations;
    const isFull =
      active.bytes + this.#scratch.length > settings.generationBytes || active.sequence >= generationRecordsMax;
    if (!isFull) return active;
    const before = await generations.rollOver();
    await before.seal();
    await trim(this.#parts, this.#scratch);
    return generations.active;
  }

  #notify(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
