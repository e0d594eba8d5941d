import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Flight } from '../../src/cache/flight/flight.ts';
import { Holding } from '../../src/cache/flight/held-pieces.ts';
import { pieceBytes } from '../../src/cache/types.ts';
import { PieceQueue } from '../../src/disk/store/piece-queue.ts';
import { PieceMemory } from '../../src/piece-memory.ts';
import { RamTier } from '../../src/ram/tier.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

const length = 64 * 1024;

describe('The memory of a piece', () => {
  it('is given back when the last holder lets go, and empty from then on', () => {
    const bytes = PieceMemory.allocate(100);
    const view = bytes.subarray(10);
    const memory = PieceMemory.of(view);
    memory?.hold();
    memory?.letGo();
    expect(view.length).toBe(90);
    memory?.letGo();
    expect([bytes.length, view.length, PieceMemory.of(view)]).toEqual([0, 0, memory]);
  });

  it('is the collector’s where it was not allocated as such', () => {
    expect(PieceMemory.of(Buffer.alloc(100))).toBeUndefined();
    expect(PieceMemory.of(Buffer.from('pooled'))).toBeUndefined();
  });

  it('of a body that ends early is as long as what came, and what was made for the rest is given back', () => {
    const kept: Buffer[] = [];
    const keeper = { put: (_first: number, bytes: Buffer) => void kept.push(bytes), has: () => true };
    const flight = new Flight({ first: 0, last: undefined }, { keeper, holding: new Holding(64e6) });
    flight.append(bytesOf(1, 0, 5000));
    const seen = flight.take(0) ?? Buffer.alloc(0);
    expect(seen.buffer.byteLength).toBe(pieceBytes);
    flight.end();
    expect(seen.length).toBe(0);
    expect(kept.map(({ buffer }) => buffer.byteLength)).toEqual([5000]);
    expect(kept[0]?.equals(bytesOf(1, 0, 5000))).toBe(true);
  });

  it('is whole for whoever holds it, whatever the tiers do, and given back in the end', () => {
    const step = fc.record({
      what: fc.constantFrom('fill', 'fill', 'read', 'read', 'wait', 'write', 'remove', 'leave', 'leave', 'leave'),
      id: fc.integer({ min: 0, max: 5 }),
      slot: fc.integer({ min: 0, max: 5 }),
    });
    const run = (steps: readonly { what: string; id: number; slot: number }[]) => {
      const tier = new RamTier({ bytesMax: 8 * length });
      const queue = new PieceQueue(Number.MAX_SAFE_INTEGER, 1000);
      const made: Buffer[] = [];
      const held: { readonly bytes: Buffer; readonly id: number; readonly slot: number }[] = [];
      const leave = (at: number) => {
        for (const { bytes, id, slot } of held.splice(at, 1)) {
          expect(bytes.equals(bytesOf(id, slot * pieceBytes, length))).toBe(true);
          PieceMemory.of(bytes)?.letGo();
        }
      };
      const write = (count: number) => {
        for (const piece of queue.take(count * (length + 64))) queue.done(piece);
      };
      for (const { what, id, slot } of steps) {
        const first = slot * pieceBytes;
        if (what === 'read' || what === 'wait') {
          const bytes = what === 'read' ? tier.read(id, first) : queue.read(id, first);
          if (bytes !== undefined) held.push({ bytes, id, slot });
        }
        if (what === 'remove') {
          tier.remove(id);
          queue.dropAll(id);
        }
        if (what === 'write') write(1 + slot);
        if (what === 'leave' && held.length > 0) leave((id * 6 + slot) % held.length);
        if (what !== 'fill') continue;
        const bytes = PieceMemory.copyOf(bytesOf(id, first, length));
        made.push(bytes);
        held.push({ bytes, id, slot });
        tier.put(id, first, bytes);
        queue.push({ id, first, bytes, supersedes: [], dropped: false });
      }
      while (held.length > 0) leave(0);
      write(steps.length);
      for (let id = 0; id <= 5; id++) tier.remove(id);
      expect(made.filter((bytes) => bytes.length > 0)).toEqual([]);
    };
    fc.assert(fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), run), { seed: fuzzSeed, numRuns: 60 });
  });
});
