import type { Entry, EntryStore, KeySelection, PieceSpan, RepresentationId, Tier } from '../cache/types.ts';
import { closeDeadlineMs, withDeadline } from './database/level.ts';
import { type DiskFailure, Health } from './health.ts';
import { type DiskOptions, type DiskState, diskSettings } from './options.ts';
import { recoverWriting } from './recover-writing.ts';
import { type OpenedStore, openStore } from './store/open-store.ts';
import { type DiskCounts, heldBytes } from './store/store-parts.ts';
import { StoredEntries } from './stored-entries.ts';
import { StoredPieces } from './stored-pieces.ts';
import { Writer } from './writer/writer.ts';

/**
 * Pieces and entries on disk, in LevelDB. Pieces lie in generations that are filled in order and dropped whole, the
 * index says which lie where (docs/decisions/store-layout.md).
 *
 * `find` answers for open representations only: those that `load` or `reopen` was called for, or that pieces were put to.
 * At most `openPiecesMax` pieces are known so; beyond it the longest unused representations are closed and simply miss.
 * Nothing here throws into the path of a request: what cannot be read is a miss, what cannot be written is declined,
 * and `health` says why. Buffers given by `read` are shared by all who read that piece at the time, but for those that
 * `isSole` names: read-only.
 */
export class DiskTier implements Tier, EntryStore {
  readonly name = 'disk';
  readonly #store: OpenedStore;
  readonly #health: Health;
  readonly #writer: Writer;
  readonly #pieces: StoredPieces;
  readonly #entries: StoredEntries;
  #closing: Promise<void> | undefined;

  private constructor(store: OpenedStore) {
    const { parts } = store;
    this.#store = store;
    this.#health = new Health(parts.settings, (failure) => this.#recover(failure));
    this.#writer = new Writer(parts, (error) => this.#health.fail(error, 'write'));
    this.#pieces = new StoredPieces(parts, this.#writer, this.#health);
    this.#entries = new StoredEntries(parts, this.#writer, this.#health);
    this.#writer.wake();
    void parts.entryIndex.learnKeys();
  }

  /**
   * Opens the store in `directory`, or starts one there. What is damaged is repaired or set aside.
   * @throws EddyError `disk-failed` when the directory is in use or cannot be used, `disk-full` when the disk is full
   * and nothing of the store is left to give up, `internal` when an option is out of bounds.
   */
  static async open(options: DiskOptions): Promise<DiskTier> {
    return new DiskTier(await openStore(options.directory, diskSettings(options)));
  }

  find(id: RepresentationId, offset: number): PieceSpan | undefined {
    return this.#pieces.find(id, offset);
  }

  read(id: RepresentationId, first: number): Buffer | undefined | Promise<Buffer | undefined> {
    return this.#closing === undefined ? this.#pieces.read(id, first) : undefined;
  }

  put(id: RepresentationId, first: number, bytes: Buffer): void {
    if (this.#closing === undefined) this.#pieces.put(id, first, bytes);
  }

  reopen(id: RepresentationId): Promise<void> | undefined {
    return this.#closing === undefined ? this.#entries.reopen(id) : undefined;
  }

  isSole(bytes: Buffer): boolean {
    return this.#pieces.isSole(bytes);
  }

  remove(id: RepresentationId): void {
    this.#entries.cancelLoad(id);
    if (this.#closing === undefined) this.#pieces.remove(id);
  }

  async load(key: string, signal: AbortSignal): Promise<Entry | undefined> {
    return this.#closing === undefined ? this.#entries.load(key, signal) : undefined;
  }

  save(entry: Entry): void {
    if (this.#closing === undefined) this.#entries.save(entry);
  }

  delete(key: string): void {
    if (this.#closing === undefined) this.#entries.delete(key);
  }

  keys(which: KeySelection, signal: AbortSignal): AsyncIterable<string> {
    return this.#entries.keys(which, signal);
  }

  /** `bytes`: taken on disk, index and not yet dropped leftovers included. `pieces`: those that can be read. */
  stats(): { bytes: number; bytesMax: number; pieces: number } {
    const { parts } = this.#store;
    return { bytes: heldBytes(parts), bytesMax: parts.settings.bytesMax, pieces: parts.generations.pieces };
  }

  /** What happened since it was opened. */
  counts(): DiskCounts {
    return { ...this.#store.parts.counts };
  }

  health(): { state: DiskState; reason?: string } {
    const { state, reason } = this.#health;
    return reason === undefined ? { state } : { state, reason };
  }

  /** Resolves when all that was put and saved so far is written, or cannot be. */
  async flushed(): Promise<void> {
    await this.#writer.idle();
  }

  /** Takes nothing more, writes what is queued within a deadline, and closes. Never throws. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { log } = this.#store.parts.settings;
    try {
      await withDeadline(this.#writer.idle(), closeDeadlineMs, 'writing what is queued');
    } catch {
      log.warn({}, 'the disk tier closes before all that was queued is written');
    }
    const stopped = Promise.all([this.#health.close(), this.#writer.pause()]);
    await withDeadline(stopped, closeDeadlineMs, 'stopping the writer').catch(() => undefined);
    await this.#store.close();
  }

  async #recover(failure: DiskFailure): Promise<void> {
    await this.#writer.pause();
    await recoverWriting(this.#store.parts, failure);
    await this.#writer.probe();
    this.#writer.resume();
  }
}
