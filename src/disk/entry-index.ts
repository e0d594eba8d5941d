import type { Entry, RepresentationId } from '../cache/types.ts';
import { decodeEntry, encodeEntry, type EntryRecord, entryRecordBytesMax, tagsOf } from './entry-record.ts';
import type { IndexDatabase } from './index-database.ts';
import {
  entryKey,
  entryRange,
  entryRanges,
  keyOfEntryKey,
  keyOfSavedKey,
  keyOfTagKey,
  ownerKey,
  savedKey,
  savedRange,
  tagKey,
  tagRange,
} from './index-records.ts';
import { type LevelOperation, troubleOf } from './level.ts';

export type KeySelection = { prefix: string } | { tag: string } | 'all';

/** What saving or deleting an entry came to. */
export interface EntryChange {
  /** Representations that no entry has any more. */
  readonly orphans: readonly RepresentationId[];
  /** Bytes that the new record takes, everything about it counted. */
  readonly bytes: number;
}

/** The entries in the index, and what is needed to find them by tag, by representation and by age. */
export class EntryIndex {
  readonly #index: IndexDatabase;

  constructor(index: IndexDatabase) {
    this.#index = index;
  }

  /** The record of that key; one that is not intact is as good as none. Rejects when the device fails. */
  async get(key: string): Promise<EntryRecord | undefined> {
    const value = await this.#read(entryKey(key));
    return value === undefined ? undefined : decodeEntry(value, key);
  }

  /** Replaces the entry of that key, by nothing if `entry` is undefined or too large to keep. */
  async replace(key: string, entry: Entry | undefined, generation: number): Promise<EntryChange> {
    const value = entry && encodeEntry({ entry, generation, savedMs: Date.now() });
    const kept = value !== undefined && value.length <= entryRecordBytesMax ? entry : undefined;
    const before = await this.get(key);
    const operations: LevelOperation[] = [];
    const ids = new Set(kept?.variants.map(({ id }) => id));
    const orphans = before?.entry.variants.map(({ id }) => id).filter((id) => !ids.has(id)) ?? [];
    for (const id of orphans) operations.push({ type: 'del', key: ownerKey(id) });
    const tags: ReadonlySet<string> = kept === undefined ? new Set() : tagsOf(kept);
    for (const tag of before === undefined ? [] : tagsOf(before.entry)) {
      if (!tags.has(tag)) operations.push({ type: 'del', key: tagKey(tag, key) });
    }
    if (kept === undefined || value === undefined) {
      operations.push({ type: 'del', key: entryKey(key) });
      await this.#index.write(operations);
      return { orphans, bytes: 0 };
    }
    operations.push({ type: 'put', key: entryKey(key), value });
    operations.push({ type: 'put', key: savedKey(generation, key), value: Buffer.alloc(0) });
    for (const tag of tags) operations.push({ type: 'put', key: tagKey(tag, key), value: Buffer.alloc(0) });
    for (const id of ids) operations.push({ type: 'put', key: ownerKey(id), value: Buffer.from(key) });
    await this.#index.write(operations);
    return { orphans, bytes: operations.reduce((sum, each) => sum + operationBytes(each), 0) };
  }

  /** The key whose entry has that representation. */
  async ownerOf(id: RepresentationId): Promise<string | undefined> {
    return (await this.#read(ownerKey(id)))?.toString('utf8');
  }

  async forgetOwner(id: RepresentationId): Promise<void> {
    await this.#index.write([{ type: 'del', key: ownerKey(id) }]);
  }

  /** Keys of entries that were saved while that generation was written; some were saved again or deleted since. */
  async *savedDuring(generation: number): AsyncGenerator<string[]> {
    for await (const keys of this.#index.scanKeys(savedRange(generation))) yield keys.map(keyOfSavedKey);
  }

  async forgetSavedDuring(generation: number): Promise<void> {
    await this.#index.clear(savedRange(generation));
  }

  /** Keys in order, as they are at the call. */
  async *keys(which: KeySelection): AsyncGenerator<string> {
    const isByTag = typeof which === 'object' && 'tag' in which;
    const range = which === 'all' ? entryRange('') : isByTag ? tagRange(which.tag) : entryRange(which.prefix);
    for await (const records of this.#index.scanKeys(range)) {
      for (const record of records) {
        const key = isByTag ? keyOfTagKey(record) : keyOfEntryKey(record);
        if (key !== undefined) yield key;
      }
    }
  }

  /** Forgets all entries. Their pieces leave with their generations. */
  async clear(): Promise<void> {
    for (const range of entryRanges) await this.#index.clear(range);
  }

  async #read(key: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.#index.get(key);
    } catch (error) {
      if (troubleOf(error) === 'corrupt') return undefined;
      throw error;
    }
  }
}

function operationBytes(operation: LevelOperation): number {
  return operation.type === 'put' ? operation.key.length + operation.value.length + 16 : 0;
}
