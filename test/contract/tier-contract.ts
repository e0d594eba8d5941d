import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PieceSpan, pieceBytes, type Tier } from '../../src/cache/types.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

export { bytesOf };

/** A tier under test, empty, and how to be done with it. */
export interface OpenedTier {
  readonly tier: Tier;
  /** Resolves once everything offered so far has got where the tier wants it. Absent: at once. */
  settled?(): Promise<void>;
  close(): Promise<void>;
}

export interface TierExpectations {
  /** The tier takes every piece of a few MiB that is offered. Without it each check allows for a declined piece. */
  readonly roomy?: boolean;
}

/** What every `Tier` keeps to, whatever it stores pieces in. `open` gives an empty tier each time. */
export function tierContract(name: string, open: () => Promise<OpenedTier>, expectations: TierExpectations = {}): void {
  describe(`${name} is a tier`, () => {
    let opened: OpenedTier;
    const put = (id: number, first: number, length: number) => opened.tier.put(id, first, bytesOf(id, first, length));
    const settled = async () => opened.settled?.();

    beforeEach(async () => {
      opened = await open();
    });
    afterEach(async () => {
      await opened.close();
    });

    it('knows nothing at first', async () => {
      expect(opened.tier.find(1, 0)).toBeUndefined();
      expect(await opened.tier.read(1, 0)).toBeUndefined();
      opened.tier.remove(1);
    });

    it('finds and reads only right bytes, at once and once settled', async () => {
      put(7, 0, pieceBytes);
      put(7, pieceBytes, 1000);
      put(8, 0, 10);
      for (const wait of [async () => {}, settled]) {
        await wait();
        await checkRead(opened.tier, 7, 0);
        await checkRead(opened.tier, 7, pieceBytes + 999);
        await checkRead(opened.tier, 8, 9);
        expect(await opened.tier.read(7, 1)).toBeUndefined();
        expect(opened.tier.find(7, pieceBytes + 1000)).toBeUndefined();
        expect(opened.tier.find(9, 0)).toBeUndefined();
      }
    });

    it('never changes the offered buffer', async () => {
      const offered = bytesOf(3, 5, 70_000);
      opened.tier.put(3, 5, offered);
      await settled();
      await opened.tier.read(3, 5);
      expect(offered.equals(bytesOf(3, 5, 70_000))).toBe(true);
    });

    it('takes ids and offsets up to the largest safe integer', async () => {
      const id = Number.MAX_SAFE_INTEGER;
      const first = Math.floor(Number.MAX_SAFE_INTEGER / pieceBytes) * pieceBytes;
      put(id, first, 1000);
      put(2 ** 32, 2 ** 40, 1000);
      await settled();
      await checkRead(opened.tier, id, first + 10);
      await checkRead(opened.tier, 2 ** 32, 2 ** 40);
      expect(opened.tier.find(0, 2 ** 40)).toBeUndefined();
    });

    it('forgets a removed representation, that one only, at once and for good', async () => {
      for (let i = 0; i < 4; i++) put(20, i * pieceBytes, 500);
      await settled();
      put(20, 4 * pieceBytes, 500);
      put(21, 0, 500);
      opened.tier.remove(20);
      for (const wait of [async () => {}, settled]) {
        await wait();
        expect(opened.tier.find(20, 0)).toBeUndefined();
        expect(await opened.tier.read(20, 0)).toBeUndefined();
        await checkRead(opened.tier, 21, 0);
      }
    });

    it('answers any sequence of calls with right bytes only', async () => {
      const id = fc.integer({ min: 100, max: 103 });
      const slot = fc.integer({ min: 0, max: 3 });
      const within = fc.integer({ min: 0, max: 63 }).map((n) => n * 4096);
      const length = fc.integer({ min: 1, max: 64 }).map((n) => n * 4096);
      const step = fc.oneof(
        { weight: 6, arbitrary: fc.record({ act: fc.constant('put' as const), id, slot, within, length }) },
        { weight: 6, arbitrary: fc.record({ act: fc.constant('read' as const), id, slot, within }) },
        { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), id }) },
        { weight: 1, arbitrary: fc.record({ act: fc.constant('settle' as const) }) },
      );
      const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        for (const each of steps) {
          if (each.act === 'settle') await settled();
          else if (each.act === 'remove') opened.tier.remove(each.id);
          else if (each.act === 'read') await checkRead(opened.tier, each.id, each.slot * pieceBytes + each.within);
          else put(each.id, each.slot * pieceBytes + each.within, Math.min(each.length, pieceBytes - each.within));
        }
      });
      await fc.assert(property, { seed: fuzzSeed, numRuns: 60 });
    });

    if (expectations.roomy === true) roomyContract(() => opened);
  });
}

/** What else holds for a tier with room for everything offered. */
function roomyContract(opened: () => OpenedTier): void {
  const tier = () => opened().tier;
  const put = (id: number, first: number, length: number) => tier().put(id, first, bytesOf(id, first, length));
  const settled = async () => opened().settled?.();

  it('has every piece it was given', async () => {
    for (let i = 0; i < 12; i++) put(30, i * pieceBytes, pieceBytes);
    for (const wait of [async () => {}, settled]) {
      await wait();
      for (let i = 0; i < 12; i++) {
        expect(tier().find(30, i * pieceBytes + 7)).toEqual({ first: i * pieceBytes, length: pieceBytes });
        expect(await tier().read(30, i * pieceBytes)).toEqual(bytesOf(30, i * pieceBytes, pieceBytes));
      }
    }
  });

  it('finds the next piece after a gap', async () => {
    put(31, 5 * pieceBytes + 100, 50);
    put(31, 2 * pieceBytes, 10);
    await settled();
    expect(tier().find(31, 0)).toEqual({ first: 2 * pieceBytes, length: 10 });
    expect(tier().find(31, 2 * pieceBytes + 9)).toEqual({ first: 2 * pieceBytes, length: 10 });
    expect(tier().find(31, 2 * pieceBytes + 10)).toEqual({ first: 5 * pieceBytes + 100, length: 50 });
    expect(tier().find(31, 5 * pieceBytes + 150)).toBeUndefined();
  });

  it('finds a piece that holds the offset among overlapping ones', async () => {
    put(32, 0, 100);
    put(32, 50, 200);
    put(32, 20, 30);
    await settled();
    for (const offset of [0, 49, 50, 99, 100, 249]) {
      const span = tier().find(32, offset);
      expect(span !== undefined && holds(span, offset), `offset ${offset}`).toBe(true);
      await checkRead(tier(), 32, offset);
    }
    expect(tier().find(32, 250)).toBeUndefined();
  });

  it('keeps the longer of two pieces that begin at the same offset', async () => {
    put(33, 0, 100);
    await settled();
    put(33, 0, 300);
    put(33, 0, 200);
    for (const wait of [async () => {}, settled]) {
      await wait();
      expect(tier().find(33, 250)).toEqual({ first: 0, length: 300 });
      await checkRead(tier(), 33, 250);
    }
  });

  it('takes pieces again after a removal', async () => {
    put(34, 0, 100);
    tier().remove(34);
    put(34, 0, 100);
    await settled();
    expect(tier().find(34, 0)).toEqual({ first: 0, length: 100 });
    expect(await tier().read(34, 0)).toEqual(bytesOf(34, 0, 100));
  });
}

/** Whatever `find` names lies in one slot, at or after the offset, and reads as the right bytes or not at all. */
async function checkRead(tier: Tier, id: number, offset: number): Promise<void> {
  const span = tier.find(id, offset);
  if (span === undefined) return;
  expect(span.length).toBeGreaterThan(0);
  expect(holds(span, offset) || span.first > offset).toBe(true);
  expect(Math.floor(span.first / pieceBytes)).toBe(Math.floor((span.first + span.length - 1) / pieceBytes));
  const bytes = await tier.read(id, span.first);
  if (bytes === undefined) return;
  expect(bytes.length).toBe(span.length);
  expect(bytes.equals(bytesOf(id, span.first, span.length))).toBe(true);
}

function holds(span: PieceSpan, offset: number): boolean {
  return span.first <= offset && offset < span.first + span.length;
}
