import { expect, it } from 'vitest';
import { Entries } from '../../src/cache/stored/entries.ts';
import { Purges } from '../../src/cache/stored/purges.ts';
import { RecentPurges } from '../../src/cache/stored/recent-purges.ts';
import type { Entry, EntryStore, StoredResponse, Tier } from '../../src/cache/types.ts';
import { entryOf } from '../support/disk-store.ts';

const key = 'default:/film.mp4';
const removed: number[] = [];
const tier: Tier = {
  name: 'disk',
  find: () => undefined,
  read: () => undefined,
  put: () => {},
  remove: (id) => removed.push(id),
};

/** Has one entry; gives it when it is told to. */
function slowStore(): { store: EntryStore; give: () => void } {
  const { promise, resolve } = Promise.withResolvers<Entry | undefined>();
  const store = { load: () => promise, save: () => {}, delete: () => {}, async *keys() {} };
  return { store, give: () => resolve(entryOf(key, 7)) };
}

it('a request for what is being removed from the store does not take over a response of unknown target', async () => {
  for (const first of ['remove', 'find'] as const) {
    const { store, give } = slowStore();
    const entries = new Entries({ tiers: [tier], store, entriesMax: 10 });
    const find = () => entries.find(key, '/film.mp4');
    const before = first === 'find' ? find() : undefined;
    const count = entries.removeKey(key, () => false);
    const found = before ?? find();
    give();
    for (const each of await found) expect(each.target).toBe('/film.mp4');
    expect(await count).toBe(1);
    expect(entries.peek(key), 'what was removed').toBeUndefined();
    expect(removed.splice(0)).toEqual([7]);
  }
});

it('what is spared stays, in memory and in the store', async () => {
  const { store, give } = slowStore();
  const entries = new Entries({ tiers: [tier], store, entriesMax: 10 });
  const count = entries.removeKey(key, () => true);
  give();
  expect(await count).toBe(0);
  expect(await entries.find(key, '/film.mp4')).toHaveLength(1);
  expect(await entries.removeKey(key, () => true)).toBe(0);
  expect(entries.peek(key)).toHaveLength(1);
  expect(removed).toEqual([]);
});

it('a purge that takes a while spares what was asked for since it began, if the clock says so that was not set back', async () => {
  let nowMs = 10_000;
  const requestTimesMs = [9_999, 10_000, 10_001, 10_500, 10_501];
  const spared: number[] = [];
  const entries = {
    async *keys() {
      nowMs = 10_500;
      yield key;
    },
    removeKey: async (_: string, isSpared: (stored: StoredResponse) => boolean) => {
      spared.push(...requestTimesMs.filter((requestTimeMs) => isSpared({ requestTimeMs } as StoredResponse)));
      return 1;
    },
  } as unknown as Entries;
  const now = () => nowMs;
  const purges = new Purges({ entries, recent: new RecentPurges(now), policies: () => [], now });
  expect(await purges.purge('all', AbortSignal.timeout(10_000))).toBe(1);
  expect(spared).toEqual([10_001, 10_500]);
});
