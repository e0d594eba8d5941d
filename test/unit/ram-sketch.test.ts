import { describe, expect, it } from 'vitest';
import { FrequencySketch, hashOf } from '../../src/ram/sketch.ts';

describe('FrequencySketch', () => {
  it('counts up to 15 and stays there', () => {
    const sketch = new FrequencySketch(100);
    const hash = hashOf(1, 0);
    for (let times = 0; times <= 20; times++) {
      expect(sketch.estimate(hash)).toBe(Math.min(times, 15));
      sketch.count(hash);
    }
  });

  it('halves, and never lends a bit to the neighbour', () => {
    const sketch = new FrequencySketch(100);
    const hashes = Array.from({ length: 50 }, (_, i) => hashOf(i, 0));
    for (const hash of hashes) for (let times = 0; times < 15; times++) sketch.count(hash);
    for (const left of [7, 3, 1, 0]) {
      sketch.halve();
      expect(hashes.map((hash) => sketch.estimate(hash))).toEqual(hashes.map(() => left));
    }
  });

  it('never guesses too low, and seldom too high when filled as planned', () => {
    const pieces = 5000;
    const sketch = new FrequencySketch(pieces);
    const timesOf = (i: number) => (i % 10 === 0 ? 9 : 1);
    for (let i = 0; i < pieces; i++) for (let n = 0; n < timesOf(i); n++) sketch.count(hashOf(7, i * 262_144));
    const errors = Array.from({ length: pieces }, (_, i) => sketch.estimate(hashOf(7, i * 262_144)) - timesOf(i));
    expect(Math.min(...errors)).toBe(0);
    expect(errors.filter((error) => error > 0).length).toBeLessThan(pieces * 0.02);
  });
});

describe('hashOf', () => {
  it('tells ids and offsets apart over their whole range', () => {
    const ids = [0, 1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER];
    const firsts = [0, 1, 262_144, 2 * 262_144, 2 ** 32, 2 ** 40, 2 ** 52];
    const hashes = new Set(ids.flatMap((id) => firsts.map((first) => hashOf(id, first))));
    expect(hashes.size).toBe(ids.length * firsts.length);
    for (const hash of hashes) expect(hash >= 0 && hash < 2 ** 32 && Number.isInteger(hash)).toBe(true);
  });

  it('spreads the pieces of one file evenly', () => {
    const buckets = new Array<number>(64).fill(0);
    for (let i = 0; i < 6400; i++)
      buckets[hashOf(3, i * 262_144) & 63] = (buckets[hashOf(3, i * 262_144) & 63] ?? 0) + 1;
    expect(Math.max(...buckets)).toBeLessThan(150);
    expect(Math.min(...buckets)).toBeGreaterThan(60);
  });
});
