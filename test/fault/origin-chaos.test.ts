import { expect, test } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { assertPattern, type OriginRoutes, resourceSeed, startOrigin } from '../support/origin.ts';
import { ask, errorOf, kept, supplierFor } from '../support/origin-supplier.ts';

const length = 400_000;
const readers = 16;
const requestsEach = 40;

/** Mulberry32: numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('whatever goes wrong: right bytes, or right bytes and an error; and every place comes back', async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  const routes: OriginRoutes = {};
  const somewhere = () => Math.floor(random() * length * 1.5);
  const [one, two] = [kept(await startOrigin(routes)), kept(await startOrigin(routes))];
  const upstreams = [one.url, two.url];
  const supplier = kept(supplierFor({ upstreams, requestsMax: 8, queueTimeoutMs: 10_000, idleTimeoutMs: 50 }));
  const ends = new Map<string, number>();

  const read = async (path: string) => {
    const fault = ['cutAfterBytes', 'resetAfterBytes', 'hangAfterBytes', 'refuseTimes', 'none'][
      Math.floor(random() * 5)
    ];
    routes[path] = {
      length,
      faultTimes: Math.floor(random() * 4),
      [fault ?? 'none']: fault === 'refuseTimes' ? 1 : somewhere(),
      refuseFields: { 'Retry-After': '0' },
      ...(random() < 0.2 && { changeAfterRequests: 1 }),
    };
    const first = random() < 0.5 ? 0 : Math.floor(random() * length);
    const leaveAt = random() < 0.2 ? somewhere() : Infinity;
    const abort = new AbortController();
    const abortAt = random() < 0.2 ? somewhere() : Infinity;
    const fields = first === 0 ? Fields.empty : Fields.of({ Range: `bytes=${first}-` });
    const supply = await ask(supplier, path, { fields, signal: abort.signal });
    // Its upstreams may refuse one after the other, and be left alone for a while then.
    if (supply.status >= 500 && fault === 'refuseTimes') return 'refused';
    const version = Number(/\d+/.exec(supply.fields.get('etag') ?? '')?.[0]);
    let position = first;
    for await (const chunk of supply.body) {
      assertPattern(chunk, resourceSeed(path, version), position);
      position += chunk.length;
      if (position >= leaveAt) return 'left';
      if (position >= abortAt) abort.abort();
    }
    expect(position).toBe(length);
    return 'whole';
  };

  const reader = async (name: number) => {
    for (let i = 0; i < requestsEach; i++) {
      const reading = read(`/${name}/${i}`);
      const end = await reading.catch(async () => (await errorOf(reading)).code);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: readers }, (_, name) => reader(name)));

  expect([...ends.values()].reduce((sum, count) => sum + count)).toBe(readers * requestsEach);
  expect(ends.get('whole')).toBeGreaterThan(readers * requestsEach * 0.3);
  for (const end of ends.keys()) {
    expect(['whole', 'left', 'refused', 'aborted', 'origin-broken', 'origin-changed', 'origin-timeout']).toContain(end);
  }
  // With a place lost, eight at once would have to wait.
  routes['/last'] = { length: 1 };
  const together = await Promise.all(Array.from({ length: 8 }, () => ask(supplier, '/last')));
  expect(together.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
});
