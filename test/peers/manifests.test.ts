import { afterEach, expect, it } from 'vitest';
import { VideoCache } from '../../src/cache/cache.ts';
import type { Supplier, SupplyRequest } from '../../src/cache/supply.ts';
import { Fields } from '../../src/fields.ts';
import { CachePeerSource } from '../../src/node/cell/peer-source.ts';
import { sliceBytes } from '../../src/peers/integrity/manifest.ts';
import { RamTier } from '../../src/ram/tier.ts';
import { testPolicy } from '../support/edge.ts';
import { patternBytes } from '../support/pattern.ts';
import { PushedBody, TestCell, type TestNode } from '../support/peers.ts';
import { soon } from '../support/until.ts';

const cell = new TestCell();
const signal = new AbortController().signal;
const policy = { ...testPolicy, name: 'm' };
const length = sliceBytes + 100_000;

afterEach(() => cell.close());

interface Node extends TestNode {
  /** Reads it through the cache of that node, as a viewer would. */
  read(request: SupplyRequest): Promise<number>;
}

/** A member that caches what it asks of its peers, and then of that origin. */
async function cachingNode(origin: Supplier['supply']): Promise<Node> {
  const source = new CachePeerSource(() => [policy]);
  const node = await cell.start({ source });
  const cache = new VideoCache({
    ram: new RamTier({ bytesMax: 64 * 1024 ** 2 }),
    disk: undefined,
    suppliers: [node.plane.supplier, { name: 'origin', supply: origin }],
    policies: () => [policy],
    entriesMax: 100,
    now: Date.now,
    onServed: () => {},
    onBackgroundError: () => {},
  });
  source.cache = cache;
  const read = async ({ target, fields }: SupplyRequest) => {
    const answer = await cache.answer({
      method: 'GET',
      target,
      scheme: 'http',
      authority: 'a',
      fields,
      policy,
      signal,
    });
    if (answer.kind !== 'representation') throw new Error('it was not stored');
    let bytes = 0;
    for await (const part of answer.content.read(0, length - 1, signal)) bytes += part.length;
    return bytes;
  };
  return { ...node, read };
}

it('what a node fetched is signed although it was still arriving, and who had it from there gives it on with that', async () => {
  const body = new PushedBody();
  const fields = Fields.of({ etag: '"v1"', 'content-length': String(length), 'cache-control': 'max-age=60' });
  const never = () => Promise.reject(new Error('the origin was asked again'));
  const asker = await cachingNode(never);
  const owner = await cachingNode(async () => ({
    ...{ source: 'origin', status: 200, fields, body, requestTimeMs: Date.now(), responseTimeMs: Date.now() },
  }));
  const holder = await cachingNode(never);
  await cell.met(2);
  const request = cell.requestFor(1, 2, 0);
  const reading = holder.read(request);
  const bytes = patternBytes('signed', 0, length);
  for (let at = 0; at < length; at += 50_000) body.push(bytes.subarray(at, at + 50_000));
  body.push(undefined);
  expect(await reading).toBe(length);
  await soon(() => expect(holder.outcomes).toHaveLength(1));
  await owner.plane.close();
  const supply = await asker.plane.supplier.supply(request, { signal });
  const parts: Buffer[] = [];
  for await (const part of supply?.body ?? []) parts.push(Buffer.from(part));
  expect(Buffer.concat(parts).equals(bytes)).toBe(true);
  // Frames are given one by one, but for those of a slice whose digest was signed: these wait for the last of them.
  const slices = Array.from({ length: Math.ceil(length / sliceBytes) }, (_, i) =>
    Math.min(sliceBytes, length - i * sliceBytes),
  );
  expect(parts.map((part) => part.length)).toEqual(slices);
});
