import { setImmediate as turn } from 'node:timers/promises';
import type { Entry, KeySelection, RepresentationId } from '../../cache/types.ts';
import type { IndexDatabase } from '../database/index-database.ts';
import { type LevelOperation, troubleOf } from '../database/level.ts';
import { decodeEntry, type EntryRecord, encodeEntry, entryRecordBytesMax, entryTags } from '../record/entry-record.ts';
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
} from '../record/index-records.ts';
import { KeyFilter } from './key-filter.ts';

const keysMin = 65_536;
/** Of an index that is read through to learn its keys: half a second of a disk. */
const learntBytesMax = 128 * 1024 * 1024;

/** What saving or deleting entries came to. */
interface EntryChange {
  /** Representations that no entry has any more. */
  readonly orphans: readonly RepresentationId[];
  /** Bytes that the new records take, everything about them counted. */
  readonly bytes: number;
}

/** The entries in the index, and what is needed to find them by tag, by representation and by age. */
export class EntryIndex {
  readonly #index: IndexDatabase;
  /** The keys that have entries, and some that had. Most keys that are new are known to be so without a read. */
  #keys = new KeyFilter(keysMin);
  /** Whether all keys of the index are in it. */
  #knowsKeys = false;

  constructor(index: IndexDatabase) {
    this.#index = index;
  }

  /** Learns which keys there are. Where the index is too large for that, or cannot be read, it is asked each time. */
  async learnKeys(): Promise<void> {
    if (this.#index.bytes > learntBytesMax) return;
    try {
      do await this.#learnKeys();
      while (!this.#knowsKeys);
    } catch {}
  }

  /** The record of that key; one that is not intact is as good as none. Rejects when the device fails. */
  async get(key: string): Promise<EntryRecord | undefined> {
    if (this.#knowsKeys && !this.#keys.mayHave(key)) return undefined;
    const value = await this.#read(entryKey(key));
    return value === undefined ? undefined : decodeEntry(value, key);
  }

  /** Replaces the entries of those keys, each once; by nothing where `null` stands or one is too large to keep. */
  async replace(changes: readonly (readonly [string, Entry | null])[], generation: number): Promise<EntryChange> {
    const before = await Promise.all(changes.map(([key]) => this.get(key)));
    const operations: LevelOperation[] = [];
    const orphans: RepresentationId[] = [];
    let bytes = 0;
    for (const [i, [key, entry]] of changes.entries()) {
      const value = entry === null ? undefined : encodeEntry({ entry, generation, savedMs: Date.now() });
      const kept = value !== undefined && value.length <= entryRecordBytesMax ? { entry, value } : undefined;
      const tags: ReadonlySet<string> = kept?.entry ? entryTags(kept.entry) : new Set();
      const ids = new Set(kept?.entry?.variants.map(({ id }) => id));
      const gone = leftOver(key, before[i]?.entry, { tags, ids });
      orphans.push(...gone.orphans);
      const put = kept === undefined ? [] : puts(key, kept.value, { tags, ids, generation });
      for (const each of put) bytes += each.key.length + each.value.length + 16;
      operations.push(...gone.operations, ...put);
      if (kept === undefined) operations.push({ type: 'del', key: entryKey(key) });
    }
    try {
      await this.#index.write(operations);
    } finally {
      // Not before: where keys are being learnt, what is not written yet is not among them.
      for (const [key, entry] of changes) if (entry !== null) this.#keys.add(key);
    }
    if (this.#knowsKeys && this.#keys.isFull) {
      this.#knowsKeys = false;
      void this.learnKeys();
    }
    return { orphans, bytes };
  }

  /** The key whose entry has that representation. */
  async ownerOf(id: RepresentationId): Promise<string | undefined> {
    return (await this.#read(ownerKey(id)))?.toString('utf8');
  }

  async forgetOwners(ids: readonly RepresentationId[]): Promise<void> {
    await this.#index.write(ids.map((id) => ({ type: 'del', key: ownerKey(id) })));
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
    const isByTag = which !== 'all' && 'tag' in which;
    const [range, keyOf] = isByTag
      ? [tagRange(which.tag), keyOfTagKey]
      : [entryRange(which === 'all' ? '' : which.prefix), keyOfEntryKey];
    for await (const records of this.#index.scanKeys(range)) {
      for (const record of records) {
        const key = keyOf(record);
        if (key !== undefined) yield key;
      }
    }
  }

  /** Forgets all entries. Their pieces leave with their generations. */
  async clear(): Promise<void> {
    for (const range of entryRanges) await this.#index.clear(range);
  }

  /** What is written meanwhile is added as well. One that gets full is begun anew, larger. */
  async #learnKeys(): Promise<void> {
    this.#keys = new KeyFilter(this.#keys.isFull ? 2 * this.#keys.keysMax : this.#keys.keysMax);
    for await (const records of this.#index.scanKeys(entryRange(''))) {
      for (const record of records) this.#keys.add(keyOfEntryKey(record));
      if (this.#keys.isFull) return;
      await turn();
    }
    this.#knowsKeys = true;
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

interface EntryLinks {
  readonly tags: ReadonlySet<string>;
  readonly ids: ReadonlySet<RepresentationId>;
}

/** What an entry had that the one after it has not. */
function leftOver(
  key: string,
  before: Entry | undefined,
  after: EntryLinks,
): { orphans: RepresentationId[]; operations: LevelOperation[] } {
  if (before === undefined) return { orphans: [], operations: [] };
  const orphans = before.variants.map(({ id }) => id).filter((id) => !after.ids.has(id));
  const tags = [...entryTags(before)].filter((tag) => !after.tags.has(tag));
  const keys = [...orphans.map(ownerKey), ...tags.map((tag) => tagKey(tag, key))];
  return { orphans, operations: keys.map((each) => ({ type: 'del', key: each })) };
}

function puts(
  key: string,
  value: Buffer,
  links: EntryLinks & { generation: number },
): { type: 'put'; key: Buffer; value: Buffer }[] {
  const empty = Buffer.alloc(0);
  const owner = Buffer.from(key);
  return [
    { type: 'put', key: entryKey(key), value },
    { type: 'put', key: savedKey(links.generation, key), value: empty },
    ...[...links.tags].map((tag) => ({ type: 'put', key: tagKey(tag, key), value: empty }) as const),
    ...[...links.ids].map((id) => ({ type: 'put', key: ownerKey(id), value: owner }) as const),
  ];
}
