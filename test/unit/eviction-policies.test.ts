import { describe, expect, it } from 'vitest';
import { Arc } from '../../bench/eviction/policies/arc.ts';
import { Fifo, Lru } from '../../bench/eviction/policies/fifo.ts';
import type { Budget, Policy } from '../../bench/eviction/policies/policy.ts';
import { KeyQueue } from '../../bench/eviction/policies/queue.ts';
import { RamAdmission } from '../../bench/eviction/policies/ram-tier.ts';
import { Ring } from '../../bench/eviction/policies/ring.ts';
import { S3Fifo } from '../../bench/eviction/policies/s3fifo.ts';
import { Sieve } from '../../bench/eviction/policies/sieve.ts';
import { TinyLfu } from '../../bench/eviction/policies/tinylfu.ts';
import { Random, Zipf } from '../../bench/eviction/random.ts';
import { replay } from '../../bench/eviction/replay.ts';
import { standardTraces } from '../../bench/eviction/standard-traces.ts';

/** `count` keys of one byte each. */
const room = (bytesMax: number, count = 100): Budget => ({ sizes: new Int32Array(count).fill(1), bytesMax });
/** One letter a read: capitals were hits. */
const played = (policy: Policy, reads: string) =>
  [...reads].map((read) => (policy.access(read.charCodeAt(0) - 97) ? read.toUpperCase() : read)).join('');

describe('policies on traces small enough to follow by hand', () => {
  it('KeyQueue keeps order and bytes', () => {
    const queue = new KeyQueue(Int32Array.from([5, 6, 7]));
    for (const key of [0, 1, 2]) queue.push(key);
    queue.delete(1);
    expect([queue.oldest, queue.newest, queue.bytes, queue.newerThan(0), queue.has(1)]).toEqual([0, 2, 12, 2, false]);
    expect([queue.shift(), queue.shift(), queue.shift(), queue.bytes]).toEqual([0, 2, -1, 0]);
  });

  it('FIFO forgets in order of arrival, reads or not', () => {
    expect(played(new Fifo(room(3)), 'abcadab')).toBe('abcAdab');
  });

  it('LRU keeps what was read last', () => {
    expect(played(new Lru(room(3)), 'abcadab')).toBe('abcAdAb');
  });

  it('SIEVE spares what was read and evicts the next that was not', () => {
    expect(played(new Sieve(room(3)), 'abcadacb')).toBe('abcAdACb');
  });

  it('S3-FIFO: one-hit pieces leave by the small queue, ghosts come back into the main one', () => {
    const policy = new S3Fifo(room(10));
    expect(played(policy, 'abab')).toBe('abAB');
    expect(played(policy, 'cdefghijklmnop')).toBe('cdefghijklmnop');
    expect(played(policy, 'ab')).toBe('AB');
    expect(played(policy, 'c')).toBe('c');
    expect(played(policy, 'qrstuvwxyzc')).toBe('qrstuvwxyzC');
  });

  it('ARC: what was read again survives a scan', () => {
    const policy = new Arc(room(4));
    expect(played(policy, 'aabbcdefghab')).toBe('aAbBcdefghAB');
  });

  it('W-TinyLFU: the more often used one wins the place, at equal use the resident', () => {
    const policy = new TinyLfu(room(10), { window: 0.1 });
    expect(played(policy, 'abcdefghiabcdefghi')).toBe('abcdefghiABCDEFGHI');
    expect(played(policy, 'jklmnoabcdefgh')).toBe('jklmnoABCDEFGH');
    expect(played(policy, 'jkjkji')).toBe('jkjkJi');
    expect(played(new TinyLfu(room(10), { window: 0.1, burst: 1 }), 'aaaa')).toBe('aAAA');
  });

  it('the ring drops whole generations', () => {
    const ring = new Ring(room(4, 26), { generations: 2 });
    expect(played(ring, 'abcda')).toBe('abcdA');
    expect(played(ring, 'eabcd')).toBe('eabcd');
    expect(ring.reappendedBytes).toBe(0);
  });

  it('the ring writes again what was hit, up to its share', () => {
    const ring = new Ring(room(8, 26), { generations: 2, reappendHits: 1 });
    expect(played(ring, 'abcdabcefgh')).toBe('abcdABCefgh');
    expect(played(ring, 'i')).toBe('i');
    expect(ring.reappendedBytes).toBe(2);
    expect(played(ring, 'abc')).toBe('ABc');
    expect(ring.admittedBytes).toBe(10);
  });

  it('the ring prefers the most used, and remembers uses from before the write', () => {
    const ring = new Ring(room(64, 200), { generations: 2, reappendUses: 2, reappendShareMax: 1 / 32 });
    for (let key = 0; key < 64; key++) ring.access(key);
    for (const key of [3, 9, 9, 9]) ring.access(key);
    ring.access(64);
    expect([ring.access(9), ring.reappendedBytes]).toEqual([true, 1]);
    expect(ring.access(3)).toBe(false);
  });

  it('the ring with second-miss admission writes nothing for a scan', () => {
    const ring = new Ring(room(64, 200), { admission: 'second-miss', generations: 2 });
    for (let key = 0; key < 60; key++) expect(ring.access(key)).toBe(false);
    expect(ring.admittedBytes).toBe(0);
    expect([ring.access(7), ring.access(7), ring.admittedBytes]).toEqual([false, true, 1]);
  });
});

describe('the simulator', () => {
  const traces = standardTraces({ seed: 7, accesses: 20_000 });

  it('makes the same traces from the same seed, others from another', () => {
    const again = standardTraces({ seed: 7, accesses: 20_000 });
    expect(again.map(({ accesses }) => accesses)).toEqual(traces.map(({ accesses }) => accesses));
    expect(standardTraces({ seed: 8, accesses: 20_000 })[0]?.accesses).not.toEqual(traces[0]?.accesses);
  });

  it('draws ranks by Zipf', () => {
    const [random, zipf] = [new Random(1), new Zipf(100, 1)];
    const counts = new Array<number>(100).fill(0);
    for (let i = 0; i < 50_000; i++) {
      const rank = zipf.rank(random);
      counts[rank] = (counts[rank] ?? 0) + 1;
    }
    expect((counts[0] ?? 0) / (counts[9] ?? 1)).toBeGreaterThan(7);
    expect((counts[0] ?? 0) / (counts[9] ?? 1)).toBeLessThan(13);
  });

  it('holds every policy to its budget', () => {
    for (const trace of traces) {
      const budget = { sizes: trace.sizes, bytesMax: Math.floor(trace.footprintBytes * 0.1) };
      const policies: Policy[] = [new Fifo(budget), new Lru(budget), new Sieve(budget), new S3Fifo(budget)];
      policies.push(new Arc(budget), new TinyLfu(budget, { window: 0.05 }), new RamAdmission(budget));
      policies.push(new Ring(budget, { reappendHits: 1 }), new Ring(budget, { reappendUses: 3 }));
      for (const policy of policies) {
        for (const key of trace.accesses) policy.access(key);
        expect(policy.bytes, `${policy.name} on ${trace.name}`).toBeLessThanOrEqual(budget.bytesMax);
        expect(policy.bytes, `${policy.name} on ${trace.name}`).toBeGreaterThan(budget.bytesMax * 0.5);
      }
    }
  });

  it('counts what a tier in front answers as hits, and hides it from the policy', () => {
    const trace = { name: 'x', sizes: new Int32Array(10).fill(1), accesses: new Int32Array(10), footprintBytes: 1 };
    const policy = new Fifo(room(1));
    const answered = new Uint8Array(10).fill(1);
    expect(replay(trace, policy, answered).byteHitRatio).toBe(1);
    expect(policy.bytes).toBe(0);
  });
});
