import type { Entry, EntryStore, KeySelection, RepresentationId } from '../cache/types.ts';
import { EddyError } from '../errors.ts';
import { reasonOf, troubleOf } from './database/level.ts';
import type { Health } from './health.ts';
import { entryTags } from './record/entry-record.ts';
import type { StoreParts } from './store/store-parts.ts';
import type { Writer } from './writer/writer.ts';

/** Changes that may wait before whoever lists keys, to delete them as a rule, has to wait. */
const changesBeforeWaiting = 8192;
const loadsMax = 4096;

/** The entries of a store; what waits to be written counts as stored. */
export class StoredEntries implements EntryStore {
  readonly #parts: StoreParts;
  readonly #writer: Writer;
  readonly #health: Health;
  /** Representations whose pieces are being read from the index. */
  readonly #loading = new Map<RepresentationId, Promise<void>>();
  readonly #removedWhileLoading = new Set<RepresentationId>();
  #loads = 0;

  constructor(parts: StoreParts, writer: Writer, health: Health) {
    this.#parts = parts;
    this.#writer = writer;
    this.#health = health;
  }

  /** Undefined as well when the signal aborts or the index cannot be read: never throws. */
  async load(key: string, signal: AbortSignal): Promise<Entry | undefined> {
    if (signal.aborted || this.#loads >= loadsMax || this.#parts.entryQueue.distrusted) return undefined;
    this.#loads++;
    try {
      const entry = await this.#entry(key);
      for (const { id } of entry?.variants ?? []) {
        if (signal.aborted) return undefined;
        await this.#open(id);
      }
      // Deleted or replaced in the meantime: the latest word holds.
      const latest = this.#parts.entryQueue.get(key);
      return latest === undefined ? entry : (latest ?? undefined);
    } catch (error) {
      this.#onFailure(error);
      return undefined;
    } finally {
      this.#loads--;
    }
  }

  save(entry: Entry): void {
    this.#parts.entryQueue.save(entry);
    this.#writer.wakeInLull();
  }

  /** Its pieces are forgotten as well. */
  delete(key: string): void {
    this.#parts.entryQueue.delete(key);
    this.#writer.wake();
  }

  /** @throws EddyError `disk-failed` when the index cannot be read to the end, `aborted` when the signal says so. */
  async *keys(which: KeySelection, signal: AbortSignal): AsyncGenerator<string> {
    const { entryIndex, entryQueue } = this.#parts;
    const changes = entryQueue.snapshot();
    const stored = entryIndex.keys(which);
    const unsaved = [...changes]
      .filter(([key, entry]) => entry !== null && matches(key, entry, which))
      .map(([key]) => key);
    try {
      for await (const key of inOrder(without(stored, changes), unsaved.sort(byBytes))) {
        if (signal.aborted) throw new EddyError('aborted', 'listing keys was aborted', { side: 'internal' });
        yield key;
        while (entryQueue.length > changesBeforeWaiting && this.#health.state === 'ok') await this.#writer.turned();
      }
    } catch (error) {
      if (error instanceof EddyError && error.code === 'aborted') throw error;
      this.#onFailure(error);
      const message = `keys cannot be listed: ${reasonOf(error)}`;
      throw new EddyError('disk-failed', message, { side: 'internal', cause: error });
    }
  }

  /** Makes the stored pieces of a representation known, so that `find` answers for it. Undefined: it does. Never rejects. */
  reopen(id: RepresentationId): Promise<void> | undefined {
    if (this.#isKnown(id) || this.#loading.size >= loadsMax) return undefined;
    return this.#open(id).catch((error) => this.#onFailure(error));
  }

  /** That representation is being removed: what is being read about it must not come back. */
  cancelLoad(id: RepresentationId): void {
    if (this.#loading.has(id)) this.#removedWhileLoading.add(id);
  }

  async #entry(key: string): Promise<Entry | undefined> {
    const { entryQueue, entryIndex } = this.#parts;
    const pending = entryQueue.get(key);
    if (pending !== undefined) return pending ?? undefined;
    return (await entryIndex.get(key))?.entry;
  }

  #isKnown(id: RepresentationId): boolean {
    const { open, removals } = this.#parts;
    return open.isLoaded(id) || removals.has(id);
  }

  async #open(id: RepresentationId): Promise<void> {
    if (this.#isKnown(id)) return;
    await this.#loading.getOrInsertComputed(id, () =>
      this.#loadSpans(id).finally(() => {
        this.#loading.delete(id);
        this.#removedWhileLoading.delete(id);
      }),
    );
  }

  async #loadSpans(id: RepresentationId): Promise<void> {
    const { open, pieceIndex, generations, settings } = this.#parts;
    let room = Math.floor(settings.openPiecesMax / 2);
    for await (const pieces of pieceIndex.piecesOf(id)) {
      for (const piece of pieces) {
        if (this.#removedWhileLoading.has(id)) return;
        if (generations.get(piece.generation) !== undefined) open.add(id, piece, piece);
      }
      room -= pieces.length;
      if (room <= 0) break;
    }
    if (!this.#removedWhileLoading.has(id)) open.setLoaded(id);
  }

  #onFailure(error: unknown): void {
    const trouble = troubleOf(error);
    this.#parts.counts.readFailures++;
    this.#parts.settings.log.warn({ reason: reasonOf(error) }, 'the index of the disk tier cannot be read');
    // A damaged index takes a repair, as after a failed write; a scan that stops half-way must not stay so.
    if (trouble !== 'closed') this.#health.fail(error, trouble === 'corrupt' ? 'write' : 'read');
  }
}

function matches(key: string, entry: Entry | null, which: KeySelection): boolean {
  if (which === 'all') return true;
  if ('prefix' in which) return key.startsWith(which.prefix);
  return entry !== null && entryTags(entry).has(which.tag);
}

async function* without(keys: AsyncIterable<string>, changes: ReadonlyMap<string, unknown>): AsyncGenerator<string> {
  for await (const key of keys) if (!changes.has(key)) yield key;
}

/** Both in one order. */
async function* inOrder(stored: AsyncIterable<string>, unsaved: readonly string[]): AsyncGenerator<string> {
  let next = 0;
  for await (const key of stored) {
    for (let other = unsaved[next]; other !== undefined && byBytes(other, key) < 0; other = unsaved[next]) {
      yield other;
      next++;
    }
    yield key;
  }
  yield* unsaved.slice(next);
}

/** The order of the index: UTF-8 bytes. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
