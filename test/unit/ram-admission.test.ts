import { describe, expect, it } from 'vitest';
import { Admission, type Segment, type Weighed } from '../../src/ram/admission.ts';
import { hashOf } from '../../src/ram/sketch.ts';

const MiB = 2 ** 20;
const cost = 256 * 1024;

class Piece implements Weighed<Piece> {
  readonly key: number;
  readonly cost: number;
  readonly hash: number;
  segment: Segment<Piece> | undefined = undefined;
  usedAt = 0;

  constructor(key: number, bytes = cost) {
    this.key = key;
    this.cost = bytes;
    this.hash = hashOf(1, key);
  }
}

/** An admission with its residents by key, as a tier would hold them. */
class Cache {
  readonly resident = new Map<number, Piece>();
  readonly evicted: number[] = [];
  readonly admission: Admission<Piece>;

  constructor(bytesMax: number) {
    this.admission = new Admission<Piece>(bytesMax, (piece) => {
      this.evicted.push(piece.key);
      this.resident.delete(piece.key);
    });
  }

  access(key: number, bytes?: number): boolean {
    const piece = this.resident.get(key);
    if (piece !== undefined) {
      this.admission.touch(piece);
      return true;
    }
    const fresh = new Piece(key, bytes);
    this.resident.set(key, fresh);
    this.admission.add(fresh);
    expect(this.admission.bytes).toBeLessThanOrEqual(this.admission.bytesMax);
    expect(this.admission.pieces).toBe(this.resident.size);
    return false;
  }

  share(keys: readonly number[]): number {
    return keys.filter((key) => this.resident.has(key)).length / keys.length;
  }
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

describe('Admission', () => {
  it('keeps everything while there is room', () => {
    const cache = new Cache(64 * MiB);
    for (const key of range(0, 256)) cache.access(key);
    expect(cache.evicted).toEqual([]);
    expect(cache.admission.bytes).toBe(64 * MiB);
  });

  it('is a plain LRU when the budget is no more than a few segments', () => {
    const cache = new Cache(4 * cost);
    for (const key of [1, 2, 3, 4, 1, 5, 6]) cache.access(key);
    expect(cache.evicted).toEqual([2, 3]);
    expect([...cache.resident.keys()].sort()).toEqual([1, 4, 5, 6]);
  });

  it('keeps the hot set through a scan ten times the budget', () => {
    const cache = new Cache(64 * MiB);
    const hot = range(0, 150);
    for (let times = 0; times < 4; times++) for (const key of hot) cache.access(key);
    for (const key of range(1000, 2560)) cache.access(key);
    expect(cache.share(hot)).toBeGreaterThan(0.95);
  });

  it('keeps the hot set through a scan that reads each piece many times in small steps', () => {
    const cache = new Cache(64 * MiB);
    const hot = range(0, 150);
    for (let times = 0; times < 4; times++) for (const key of hot) cache.access(key);
    for (const key of range(1000, 2560)) for (let step = 0; step < 8; step++) cache.access(key);
    expect(cache.share(hot)).toBeGreaterThan(0.95);
  });

  it('lets followers read what just came, whatever the frequency of the rest', () => {
    const cache = new Cache(64 * MiB);
    for (let times = 0; times < 8; times++) for (const key of range(0, 256)) cache.access(key);
    for (const key of range(1000, 100)) {
      cache.access(key);
      if (key >= 1008) expect(cache.resident.has(key - 8), `piece ${key - 8}`).toBe(true);
    }
  });

  it('widens the window for a live edge whose followers lag more than it holds', () => {
    const cache = new Cache(64 * MiB);
    for (let times = 0; times < 8; times++) for (const key of range(0, 256)) cache.access(key);
    const hits: boolean[] = [];
    for (let edge = 1000; edge < 6000; edge++) {
      cache.access(edge);
      hits.push(cache.access(edge - 60));
    }
    expect(hits.slice(-1000).filter(Boolean).length).toBeGreaterThan(900);
  });

  it('lets yesterday’s favourites go for today’s', () => {
    const cache = new Cache(64 * MiB);
    for (let times = 0; times < 20; times++) for (const key of range(0, 250)) cache.access(key);
    for (let times = 0; times < 40; times++) for (const key of range(1000, 250)) cache.access(key);
    expect(cache.share(range(1000, 250))).toBeGreaterThan(0.9);
  });

  it('does not let one large piece drive out small ones that are used as often', () => {
    const cache = new Cache(16 * MiB);
    const small = range(0, 1500);
    for (let times = 0; times < 4; times++) for (const key of small) cache.access(key, 8192);
    for (const key of range(10_000, 100)) {
      cache.access(key);
      cache.access(key);
    }
    expect(cache.share(small)).toBeGreaterThan(0.95);
  });
});
