import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/cache/types.ts';
import type { IndexDatabase } from '../../src/disk/database/index-database.ts';
import type { LevelOperation } from '../../src/disk/database/level.ts';
import { EntryIndex } from '../../src/disk/indexes/entry-index.ts';
import { KeyFilter } from '../../src/disk/indexes/key-filter.ts';
import type { KeyRange } from '../../src/disk/record/index-records.ts';
import { soon } from '../support/until.ts';

const name = (i: number) => `default /live/channel-${i % 7}/segment-${i}.m4s`;

describe('a filter of keys', () => {
  it('has all that were added, and hardly any other', () => {
    const filter = new KeyFilter(4096);
    for (let i = 0; i < 4096; i++) filter.add(name(i));
    expect(Array.from({ length: 4096 }, (_, i) => filter.mayHave(name(i)))).not.toContain(false);
    const others = Array.from({ length: 100_000 }, (_, i) => filter.mayHave(name(4096 + i)));
    expect(others.filter((is) => is).length).toBeLessThan(1_000);
    expect(new KeyFilter(4096).isFull).toBe(false);
    for (let i = 0; i < 4096; i++) filter.add(name(4096 + i));
    expect(filter.isFull).toBe(true);
  });
});

/** An index in memory that counts reads. */
class CountedIndex implements Pick<IndexDatabase, 'get' | 'write' | 'scanKeys' | 'bytes'> {
  reads = 0;
  bytes = 0;
  readonly #records = new Map<string, Buffer>();

  async get(key: Buffer): Promise<Buffer | undefined> {
    this.reads++;
    return this.#records.get(key.toString('latin1'));
  }

  async write(operations: LevelOperation[]): Promise<void> {
    for (const each of operations)
      if (each.type === 'put') this.#records.set(each.key.toString('latin1'), each.value);
      else this.#records.delete(each.key.toString('latin1'));
  }

  async *scanKeys({ gte, lt }: KeyRange): AsyncGenerator<Buffer[]> {
    const keys = [...this.#records.keys()].map((key) => Buffer.from(key, 'latin1'));
    for (const key of keys) if (gte.compare(key) <= 0 && key.compare(lt) < 0) yield [key];
  }
}

const entry = (key: string): Entry => ({ key, variants: [] });

describe('the index of entries', () => {
  it('is not read for what it never had, be it opened anew', async () => {
    const index = new CountedIndex();
    const before = new EntryIndex(index as unknown as IndexDatabase);
    await before.replace([[name(1), entry(name(1))]], 1);
    const entries = new EntryIndex(index as unknown as IndexDatabase);
    await entries.learnKeys();
    await entries.replace([[name(2), entry(name(2))]], 1);
    index.reads = 0;
    for (const i of [1, 2]) expect((await entries.get(name(i)))?.entry.key).toBe(name(i));
    expect(index.reads).toBe(2);
    expect(await entries.get(name(3))).toBeUndefined();
    expect(index.reads).toBe(2);
  });

  it('knows its keys however many they become', async () => {
    const index = new CountedIndex();
    const entries = new EntryIndex(index as unknown as IndexDatabase);
    await entries.learnKeys();
    const all = Array.from({ length: 70_000 }, (_, i) => name(i));
    for (let at = 0; at < all.length; at += 5_000)
      await entries.replace(
        all.slice(at, at + 5_000).map((key) => [key, entry(key)]),
        1,
      );
    await soon(async () => {
      index.reads = 0;
      expect(await entries.get(name(70_001))).toBeUndefined();
      expect(index.reads).toBe(0);
    });
    for (const key of all.filter((_, i) => i % 97 === 0)) expect((await entries.get(key))?.entry.key).toBe(key);
  });

  it('is not read through when it is large', async () => {
    const index = new CountedIndex();
    index.bytes = 1024 ** 3;
    const entries = new EntryIndex(index as unknown as IndexDatabase);
    await entries.learnKeys();
    expect(await entries.get(name(3))).toBeUndefined();
    expect(index.reads).toBe(1);
  });

  it('is read for everything until its keys are known', async () => {
    const index = new CountedIndex();
    const entries = new EntryIndex(index as unknown as IndexDatabase);
    expect(await entries.get(name(3))).toBeUndefined();
    expect(index.reads).toBe(1);
  });
});
