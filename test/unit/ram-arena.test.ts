import { readSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena, type Extent, type Resident } from '../../src/ram/arena.ts';
import { type RamArena, RamTier } from '../../src/ram/tier.ts';
import { collectUntil } from '../support/collect.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const pieceLength = 256 * KiB;

class Piece implements Resident<Piece> {
  bytes: Buffer;
  extent: Extent<Piece> | undefined;

  constructor(fill: number, length = pieceLength) {
    this.bytes = Buffer.alloc(length, fill);
  }
}

function open(bytesMax: number): Arena<Piece> {
  const arena = Arena.open<Piece>(bytesMax);
  if (arena === undefined) throw new Error('the tests run where there is an arena');
  return arena;
}

function inFile(arena: Arena<Piece>, bytes: Buffer): Buffer | undefined {
  const position = arena.offsetOf(bytes);
  if (position === undefined) return undefined;
  const read = Buffer.alloc(bytes.length);
  readSync(arena.fd, read, { position });
  return read;
}

/** Pieces of one byte each, as many as are admitted. */
function fill(arena: Arena<Piece>, value: number): Piece[] {
  const pieces: Piece[] = [];
  for (;;) {
    const piece = new Piece(value);
    arena.admit(piece);
    if (piece.extent === undefined) return pieces;
    pieces.push(piece);
  }
}

describe('An arena', () => {
  it('is none when it would hold nothing', () => {
    expect(Arena.open(0)).toBeUndefined();
    expect(Arena.open(MiB)).toBeUndefined();
  });

  it('has the same bytes in memory and in its file, views of them too', () => {
    const arena = open(4 * MiB);
    const pieces = [new Piece(1), new Piece(2, 200_001), new Piece(3)];
    for (const piece of pieces) arena.admit(piece);
    for (const { bytes } of pieces) expect(inFile(arena, bytes)?.equals(bytes)).toBe(true);
    expect(pieces.map(({ bytes }) => [bytes.length, bytes[0]])).toEqual([
      [pieceLength, 1],
      [200_001, 2],
      [pieceLength, 3],
    ]);
    const view = (pieces[2] as Piece).bytes.subarray(1000, 3000);
    expect(arena.offsetOf(view)).toBe((arena.offsetOf((pieces[2] as Piece).bytes) ?? 0) + 1000);
    expect(arena.offsetOf(Buffer.alloc(10))).toBeUndefined();
  });

  it('leaves what it has no room for where it is', () => {
    const arena = open(5 * MiB);
    const pieces = fill(arena, 1);
    expect(pieces.length).toBe(16);
    const rest = new Piece(2);
    const before = rest.bytes;
    arena.admit(rest);
    expect(rest.bytes).toBe(before);
  });

  it('uses memory again when no view is left, and not before', async () => {
    const arena = open(4 * MiB);
    const views: Buffer[] = [];
    (() => {
      const pieces = fill(arena, 1);
      for (const piece of pieces) arena.leave(piece);
      views.push((pieces[0] as Piece).bytes.subarray(7, 9), (pieces[15] as Piece).bytes);
    })();
    const next = (value: number): Piece[] => fill(arena, value);
    await collectUntil(() => true);
    expect(next(2)).toEqual([]);
    views.shift();
    let admitted: Piece[] = [];
    await collectUntil(() => {
      admitted = next(3);
      return admitted.length > 0;
    });
    expect(admitted.length).toBe(8);
    expect(views[0]).toEqual(Buffer.alloc(pieceLength, 1));
  });

  it('moves out who is left where most have left', async () => {
    const arena = open(64 * MiB);
    const pieces = Array.from({ length: 64 }, (_, i) => new Piece(i));
    for (const piece of pieces) arena.admit(piece);
    for (const [i, piece] of pieces.entries()) if (i % 8 !== 0) arena.leave(piece);
    const stayed = pieces.filter((_, i) => i % 8 === 0);
    expect(stayed.some(({ extent }) => extent === undefined)).toBe(true);
    expect(stayed.some(({ extent }) => extent !== undefined)).toBe(true);
    for (const [i, { bytes }] of stayed.entries()) expect(bytes).toEqual(Buffer.alloc(pieceLength, i * 8));
    for (const piece of stayed) arena.leave(piece);
  });
});

describe('A RAM tier with an arena', () => {
  const openTier = (bytesMax: number) => {
    const arena: RamArena | undefined = Arena.open(bytesMax);
    if (arena === undefined) throw new Error('the tests run where there is an arena');
    return { arena, tier: new RamTier({ bytesMax, arena }) };
  };

  it('moves large pieces there when they are read again', () => {
    const { arena, tier } = openTier(8 * MiB);
    const [large, small] = [bytesOf(1, 0, pieceLength), bytesOf(2, 0, 100 * KiB)];
    tier.put(1, 0, large);
    tier.put(2, 0, small);
    expect(tier.read(1, 0)).toBe(large);
    const again = tier.read(1, 0) ?? Buffer.alloc(0);
    expect(arena.offsetOf(again)).toBeDefined();
    expect(again.equals(large)).toBe(true);
    expect(tier.read(1, 0)).toBe(again);
    for (let i = 0; i < 3; i++) expect(tier.read(2, 0)).toBe(small);
  });

  it('keeps what was read as it was, whatever goes and comes', async () => {
    const { arena, tier } = openTier(6 * MiB);
    const held: { readonly id: number; readonly first: number; readonly bytes: Buffer }[] = [];
    let reused = 0;
    const step = fc.record({
      id: fc.integer({ min: 0, max: 9 }),
      slot: fc.integer({ min: 0, max: 7 }),
      what: fc.constantFrom('put', 'read', 'read', 'read', 'hold', 'drop', 'remove'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 200, maxLength: 400 }), async (steps) => {
        for (const { id, slot, what } of steps) {
          const first = slot * pieceLength;
          if (what === 'put') tier.put(id, first, bytesOf(id, first, pieceLength));
          else if (what === 'remove') tier.remove(id);
          else if (what === 'drop') held.splice(slot, 3);
          else {
            const bytes = tier.read(id, first);
            if (bytes === undefined) continue;
            if (arena.offsetOf(bytes) !== undefined) reused += 1;
            if (what === 'hold') held.push({ id, first, bytes });
          }
        }
        await collectUntil(() => true);
        for (const { id, first, bytes } of held) expect(bytes.equals(bytesOf(id, first, bytes.length))).toBe(true);
      }),
      { seed: fuzzSeed, numRuns: 20 },
    );
    expect(reused).toBeGreaterThan(0);
  });
});
