import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import { RamTier } from '../../src/ram/tier.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const KiB = 1024;
const fresh = (length: number) => Buffer.allocUnsafeSlow(length);

describe('RamTier', () => {
  it('refuses a budget that is no whole number of bytes', () => {
    for (const bytesMax of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
      expect(() => new RamTier({ bytesMax })).toThrow(`bytesMax is ${bytesMax}`);
  });

  it('takes nothing when it is off', () => {
    const tier = new RamTier({ bytesMax: 0 });
    tier.put(1, 0, fresh(10));
    expect(tier.find(1, 0)).toBeUndefined();
    expect(tier.stats()).toEqual({ bytes: 0, bytesMax: 0, pieces: 0 });
  });

  it('gives the very buffer that was offered, synchronously', () => {
    const tier = new RamTier({ bytesMax: 2 ** 20 });
    const bytes = fresh(1000);
    tier.put(1, 0, bytes);
    expect(tier.read(1, 0)).toBe(bytes);
  });

  it('copies a small view, so that it does not pin a large allocation', () => {
    const tier = new RamTier({ bytesMax: 2 ** 24 });
    const large = fresh(1024 * KiB).fill(7);
    tier.put(1, 0, large.subarray(100, 100 + 64 * KiB));
    tier.put(2, 0, Buffer.from('pooled'));
    const kept = tier.read(1, 0);
    expect(kept?.buffer.byteLength).toBe(64 * KiB);
    expect(kept?.equals(large.subarray(100, 100 + 64 * KiB))).toBe(true);
    expect(tier.read(2, 0)?.buffer.byteLength).toBe(6);
    expect(tier.stats().bytes).toBeLessThan(66 * KiB);
  });

  it('counts what a piece costs beside its bytes', () => {
    const tier = new RamTier({ bytesMax: 1000 * KiB });
    for (let id = 0; id < 5000; id++) tier.put(id, 0, fresh(1));
    expect(tier.stats().pieces).toBeLessThan(2500);
  });

  it('leaves a share of the budget to what is not a piece', () => {
    const tier = new RamTier({ bytesMax: 1000 * KiB, spareShare: 1 / 4 });
    for (let id = 0; id < 1000; id++) tier.put(id, 0, fresh(10 * KiB));
    const { bytes, bytesMax } = tier.stats();
    expect(bytes).toBeLessThanOrEqual(750 * KiB);
    expect(bytes).toBeGreaterThan(700 * KiB);
    expect(bytesMax).toBe(1000 * KiB);
  });

  it('declines what is larger than a piece or than the whole budget', () => {
    const tier = new RamTier({ bytesMax: 100 * KiB });
    tier.put(1, 0, fresh(200 * KiB));
    tier.put(2, 0, fresh(pieceBytes + 1));
    tier.put(3, 0, fresh(0));
    expect(tier.stats().pieces).toBe(0);
    tier.put(1, 0, fresh(90 * KiB));
    tier.put(1, 0, fresh(200 * KiB));
    expect(tier.find(1, 0)).toEqual({ first: 0, length: 90 * KiB });
  });

  it('lets a longer piece take the place of those inside it', () => {
    const tier = new RamTier({ bytesMax: 2 ** 24 });
    for (let first = 0; first < 64 * KiB; first += 4 * KiB) tier.put(1, first, fresh(4 * KiB));
    tier.put(1, 0, fresh(64 * KiB));
    tier.put(1, 8 * KiB, fresh(8 * KiB));
    expect(tier.stats().pieces).toBe(1);
    expect(tier.find(1, 10 * KiB)).toEqual({ first: 0, length: 64 * KiB });
  });

  it('reports the bytes of evicted pieces, not of removed ones', () => {
    const evicted: number[] = [];
    const tier = new RamTier({ bytesMax: 100 * KiB, onEvicted: (bytes) => evicted.push(bytes) });
    for (let id = 1; id <= 3; id++) tier.put(id, 0, fresh(40 * KiB));
    expect(evicted).toEqual([40 * KiB]);
    expect(tier.find(1, 0)).toBeUndefined();
    tier.remove(2);
    expect(evicted.length).toBe(1);
    expect(tier.stats().pieces).toBe(1);
  });

  it('holds its budget and agrees with itself, whatever is asked of it', () => {
    const call = fc.record({
      act: fc.constantFrom('put', 'put', 'put', 'read', 'remove'),
      id: fc.nat(4),
      slot: fc.nat(3),
      within: fc.nat(3).map((n) => n * 1000),
      length: fc.integer({ min: 1, max: 9000 }),
    });
    const property = fc.property(fc.array(call, { maxLength: 120 }), (calls) => {
      const tier = new RamTier({ bytesMax: 60_000, onEvicted: () => withinBudget(tier) });
      for (const { act, id, slot, within, length } of calls) {
        if (act === 'put') tier.put(id, slot * pieceBytes + within, fresh(length));
        else if (act === 'read') tier.read(id, slot * pieceBytes + within);
        else tier.remove(id);
        withinBudget(tier);
        expect(found(tier)).toBe(tier.stats().pieces);
      }
      for (let id = 0; id <= 4; id++) tier.remove(id);
      expect(tier.stats()).toEqual({ bytes: 0, bytesMax: 60_000, pieces: 0 });
    });
    fc.assert(property, { seed: fuzzSeed, numRuns: 300 });
  });

  it('finds its way in a file of 20,000 pieces', () => {
    const tier = new RamTier({ bytesMax: 2 ** 26 });
    for (let slot = 0; slot < 20_000; slot++) tier.put(1, ((slot * 7919) % 20_000) * pieceBytes, fresh(8));
    for (const slot of [0, 1, 9_999, 19_999])
      expect(tier.find(1, slot * pieceBytes + 3)).toEqual({ first: slot * pieceBytes, length: 8 });
    expect(tier.find(1, 5 * pieceBytes + 8)).toEqual({ first: 6 * pieceBytes, length: 8 });
    tier.remove(1);
    expect(tier.stats().pieces).toBe(0);
  });
});

function withinBudget(tier: RamTier): void {
  const { bytes, bytesMax } = tier.stats();
  expect(bytes).toBeLessThanOrEqual(bytesMax);
}

/** Pieces that can be reached through find and read. */
function found(tier: RamTier): number {
  let count = 0;
  for (let id = 0; id <= 4; id++) {
    const firsts = new Set<number>();
    for (let slot = 0; slot <= 3; slot++)
      for (let within = 0; within <= 3; within++) {
        const first = slot * pieceBytes + within * 1000;
        const bytes = tier.read(id, first);
        if (bytes === undefined) continue;
        firsts.add(first);
        expect(tier.find(id, first + bytes.length - 1)).toBeDefined();
      }
    count += firsts.size;
  }
  return count;
}
