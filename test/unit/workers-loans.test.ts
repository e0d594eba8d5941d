import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Arena } from '../../src/ram/arena.ts';
import { type RamArena, RamTier } from '../../src/ram/tier.ts';
import { Lender } from '../../src/workers/lender.ts';
import { LentMemory } from '../../src/workers/lent-memory.ts';
import { collectUntil } from '../support/collect.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

const MiB = 1024 * 1024;
const pieceLength = 256 * 1024;
/** In fewer extents than the arena has. */
const heldMax = 3;

/** A tier that lends from its arena, and the memory of one that is lent to. */
function open(bytesMax: number) {
  const arena: RamArena | undefined = Arena.open(bytesMax);
  if (arena === undefined) throw new Error('the tests run where there is an arena');
  const recalled: number[] = [];
  const offsetOf = (bytes: Buffer) => arena.offsetOf(bytes);
  const lender = new Lender({ keysMax: 1, onShared: () => {}, offsetOf });
  const tier = new RamTier({ bytesMax, arena, onDropped: lender.dropped });
  const book = lender.open({
    postMessage: (message) => {
      if (message.kind === 'recall') recalled.push(...message.pieces);
    },
  });
  const memory = new LentMemory(arena, (loan) => book.returned(loan));
  const lend = (id: number, first: number): Buffer | undefined => {
    const bytes = tier.share(id, first);
    const lent = bytes && book.lent(id, first, bytes);
    return lent === undefined || lent instanceof Uint8Array ? undefined : memory.take(lent);
  };
  return { tier, memory, recalled, lend };
}

it('what was lent from the arena stays as it was, however often its memory is used again', async () => {
  const { tier, memory, lend } = open(12 * MiB);
  const held: { readonly id: number; readonly first: number; readonly bytes: Buffer }[] = [];
  const lentAt = new Map<number, Set<string>>();
  const step = fc.record({
    id: fc.integer({ min: 0, max: 9 }),
    slot: fc.integer({ min: 0, max: 7 }),
    what: fc.constantFrom('put', 'put', 'put', 'lend', 'lend', 'lend', 'hold', 'remove'),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 100, maxLength: 200 }), async (steps) => {
      for (const { id, slot, what } of steps) {
        const first = slot * pieceLength;
        if (what === 'put') tier.put(id, first, bytesOf(id, first, pieceLength));
        else if (what === 'remove') tier.remove(id);
        else {
          const bytes = lend(id, first);
          const offset = bytes && memory.offsetOf(bytes);
          if (bytes === undefined || offset === undefined) continue;
          lentAt.set(offset, (lentAt.get(offset) ?? new Set()).add(`${id} ${first}`));
          if (what === 'hold') held.push({ id, first, bytes });
        }
      }
      // What the thread had goes in one collection, what was kept for it in another.
      for (let i = 0; i < 3; i++) await collectUntil(() => true);
      for (const { id, first, bytes } of held) expect(bytes.equals(bytesOf(id, first, bytes.length))).toBe(true);
      held.splice(0, held.length - heldMax);
    }),
    { seed: fuzzSeed, numRuns: 30 },
  );
  expect([...lentAt.values()].some((pieces) => pieces.size > 1)).toBe(true);
});

it('a piece that has to move out of the arena is recalled', async () => {
  const { tier, recalled, lend } = open(64 * MiB);
  for (let id = 0; id < 64; id++) {
    tier.put(id, 0, bytesOf(id, 0, pieceLength));
    lend(id, 0);
  }
  for (let id = 0; id < 64; id++) if (id % 8 !== 0) tier.remove(id);
  await new Promise(setImmediate);
  const ids = recalled.filter((_, i) => i % 2 === 0);
  expect(ids.some((id) => id % 8 === 0)).toBe(true);
  for (const id of ids.filter((each) => each % 8 === 0)) {
    expect(lend(id, 0)?.equals(bytesOf(id, 0, pieceLength))).toBe(true);
  }
});
