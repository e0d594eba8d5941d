import { expect, it } from 'vitest';
import { Entries } from '../../src/cache/stored/entries.ts';
import type { Entry, EntryStore, Tier } from '../../src/cache/types.ts';
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
    const count = entries.removeKey(key);
    const found = before ?? find();
    give();
    for (const each of await found) expect(each.target).toBe('/film.mp4');
    expect(await count).toBe(1);
    expect(entries.peek(key), 'what was removed').toBeUndefined();
    expect(removed.splice(0)).toEqual([7]);
  }
});
