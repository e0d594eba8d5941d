import { expect, it } from 'vitest';
import { VideoCache } from '../../src/cache/cache.ts';
import { cacheKey } from '../../src/cache/key.ts';
import type { Supplier } from '../../src/cache/supply.ts';
import type { Source } from '../../src/cache/types.ts';
import { Fields } from '../../src/fields.ts';
import { CachePeerSource } from '../../src/node/cell/peer-source.ts';
import { RamTier } from '../../src/ram/tier.ts';
import { testPolicy } from '../support/edge.ts';
import { PushedBody } from '../support/peers.ts';

const target = '/segment.m4s';
const half = Buffer.alloc(300_000, 1);
const signal = new AbortController().signal;
const request = { method: 'GET', target, scheme: 'http', authority: 'a', fields: Fields.empty, signal } as const;

/** A node on whose flight half of a segment has come from `source`, and the rest is awaited. */
async function nodeWithFlight(source: Exclude<Source, 'ram' | 'disk'>): Promise<{
  source: CachePeerSource;
  body: PushedBody;
}> {
  const body = new PushedBody();
  const fields = Fields.of({ etag: '"v1"', 'content-length': String(2 * half.length), 'cache-control': 'max-age=60' });
  const times = { requestTimeMs: Date.now(), responseTimeMs: Date.now() };
  const supplier: Supplier = {
    name: source,
    supply: async () => ({ source, status: 200, fields, body, ...times }),
  };
  const cache = new VideoCache({
    ram: new RamTier({ bytesMax: 64 * 1024 ** 2 }),
    disk: undefined,
    suppliers: [supplier],
    policies: () => [testPolicy],
    entriesMax: 100,
    now: Date.now,
    onServed: () => {},
    onBackgroundError: () => {},
  });
  const given = new CachePeerSource(() => [testPolicy]);
  given.cache = cache;
  const answer = await cache.answer({ ...request, policy: testPolicy });
  if (answer.kind !== 'representation') throw new Error('it was not stored');
  body.push(half);
  const viewer = answer.content.read(0, 2 * half.length - 1, signal)[Symbol.asyncIterator]();
  for (let bytes = 0; bytes < half.length; ) bytes += (await viewer.next()).value?.length ?? 0;
  return { source: given, body };
}

const asked = (first: number, last: number, heldOnly: boolean) => ({
  ...{ peerId: 'p', map: testPolicy.name, key: cacheKey({ target, policy: testPolicy }), target, heldOnly },
  fields: Fields.of({ range: `bytes=${first}-${last}` }),
});

it('who is asked for what it holds does not wait for a peer: they might wait for each other', async () => {
  const { source, body } = await nodeWithFlight('peer');
  expect(await source.open(asked(0, 99_999, true), signal)).toMatchObject({ status: 206 });
  expect(await source.open(asked(0, 599_999, true), signal)).toBeUndefined();
  expect(await source.open(asked(400_000, 599_999, true), signal)).toBeUndefined();
  // Who is responsible may be waited for: it asks nobody who would wait for it.
  expect(await source.open(asked(0, 599_999, false), signal)).toMatchObject({ status: 206 });
  body.push(undefined);
});

it('what comes from the origin is as good as held', async () => {
  const { source, body } = await nodeWithFlight('origin');
  expect(await source.open(asked(0, 599_999, true), signal)).toMatchObject({ status: 206 });
  body.push(undefined);
});
