import { describe, expect, it } from 'vitest';
import { PieceReads } from '../../src/disk/generation/piece-reads.ts';
import { PageCacheTrust } from '../../src/disk/page-cache.ts';

describe('trust in the page cache', () => {
  it('holds until a read waits for the device, and is back after a while', () => {
    let deviceReads = 0;
    const trust = new PageCacheTrust(() => deviceReads);
    trust.took(0.05, 1000);
    expect(trust.holds(1000)).toBe(true);
    deviceReads = 1;
    trust.took(40, 2000);
    expect(trust.holds(2001)).toBe(false);
    expect(trust.holds(2999)).toBe(false);
    expect(trust.holds(3000)).toBe(true);
  });

  it('does not take a thread that had to wait for its turn for a slow device', () => {
    const trust = new PageCacheTrust(() => 0);
    trust.took(40, 1000);
    expect(trust.holds(1001)).toBe(true);
  });

  it('stays away longer each time in a row, up to a bound', () => {
    let deviceReads = 0;
    const trust = new PageCacheTrust(() => deviceReads);
    const pauses: number[] = [];
    let nowMs = 0;
    for (let i = 0; i < 8; i++) {
      deviceReads += 1;
      trust.took(40, nowMs);
      const from = nowMs;
      while (!trust.holds(nowMs)) nowMs += 500;
      pauses.push(nowMs - from);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 32_000, 32_000]);
    nowMs += 60_000;
    trust.took(0.05, nowMs);
    deviceReads += 1;
    trust.took(40, nowMs);
    expect(trust.holds(nowMs + 1000)).toBe(true);
  });
});

describe('the reads of pieces', () => {
  it('are counted up to 255, for as many pieces as there are', () => {
    const reads = new PieceReads(0);
    for (let i = 0; i < 300; i++) reads.count(5000);
    reads.count(3);
    expect([reads.hits(5000), reads.hits(3), reads.hits(4), reads.hits(1_000_000)]).toEqual([255, 1, 0, 0]);
  });

  it('make a piece resident for half a minute', () => {
    const reads = new PieceReads(10);
    expect(reads.isResident(1, 0)).toBe(false);
    reads.done(1, 50_000);
    reads.count(100_000);
    expect([50_000, 80_000, 82_000].map((nowMs) => reads.isResident(1, nowMs))).toEqual([true, true, false]);
    expect(reads.isResident(2, 50_000)).toBe(false);
  });

  it('are told apart across the turn of their clock', () => {
    const reads = new PieceReads(10);
    const turnMs = 2 ** 16 * 1000;
    reads.done(1, turnMs - 2000);
    expect(reads.isResident(1, turnMs + 2000)).toBe(true);
    reads.done(2, turnMs);
    expect(reads.isResident(2, turnMs)).toBe(true);
  });
});
