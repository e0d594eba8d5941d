import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import { decodeEntry, encodeEntry, entryTags } from '../../src/disk/record/entry-record.ts';
import {
  decodeGenerationState,
  decodePlace,
  decodeReverse,
  encodeGenerationState,
  encodePlace,
  encodeReverse,
  entryKey,
  entryRange,
  pieceKey,
  pieceRange,
  tagKey,
  tagRange,
} from '../../src/disk/record/index-records.ts';
import { decodePiece, encodePiece, pieceHeaderBytes } from '../../src/disk/record/piece-record.ts';
import { entryOf } from '../support/disk-store.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

const count = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

function record(id: number, first: number, length: number): Buffer {
  const target = Buffer.alloc(pieceHeaderBytes + length);
  encodePiece({ id, first, bytes: bytesOf(id, first, length) }, target, 0);
  return target;
}

describe('piece records', () => {
  it('are laid out as documented', () => {
    const target = Buffer.alloc(pieceHeaderBytes + 3);
    encodePiece({ id: 0x1_0000_0002, first: 5, bytes: Buffer.from('abc') }, target, 0);
    const header = 'ed020000 00000003 a0f9d38cef8079d6504238b71adb05a1 0000000100000002 0000000000000005';
    expect(target.toString('hex')).toBe(`${header.replaceAll(' ', '')}616263`);
  });

  it('of format 1 are read, and checked', () => {
    const header = 'ed010000 00000003 0000000100000002 0000000000000005 a015d558';
    const old = Buffer.from(`${header.replaceAll(' ', '')}616263`, 'hex');
    const name = { id: 0x1_0000_0002, first: 5, length: 3 };
    expect(decodePiece(old, name)).toEqual(Buffer.from('abc'));
    expect(decodePiece(old, { ...name, first: 6 })).toBeUndefined();
    for (let i = 0; i < old.length; i++) {
      const damaged = Buffer.from(old);
      damaged[i] = (damaged[i] ?? 0) ^ 1;
      expect(decodePiece(damaged, name), `byte ${i}`).toBeUndefined();
    }
  });

  it('give the bytes of exactly the piece that was asked for', () => {
    const intact = record(7, 100, 500);
    expect(decodePiece(intact, { id: 7, first: 100, length: 500 })).toEqual(bytesOf(7, 100, 500));
    expect(decodePiece(intact, { id: 8, first: 100, length: 500 })).toBeUndefined();
    expect(decodePiece(intact, { id: 7, first: 101, length: 500 })).toBeUndefined();
    expect(decodePiece(intact, { id: 7, first: 100, length: 499 })).toBeUndefined();
  });

  it('show any changed bit, cut or extension', () => {
    const name = { id: 7, first: 100, length: 200 };
    const intact = record(7, 100, 200);
    for (let bit = 0; bit < intact.length * 8; bit++) {
      const damaged = Buffer.from(intact);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodePiece(damaged, name), `bit ${bit}`).toBeUndefined();
    }
    for (let length = 0; length < intact.length; length++) {
      expect(decodePiece(intact.subarray(0, length), name)).toBeUndefined();
    }
    expect(decodePiece(Buffer.concat([intact, Buffer.alloc(1)]), name)).toBeUndefined();
  });
});

describe('entry records', () => {
  const entry = entryOf('GET https://a/ü', 9, { 'cache-tag': ' a, b ,,a', 'surrogate-key': 'c  d' });

  it('come back as they were', () => {
    const saved = { entry, generation: 3, savedMs: 1_700_000_000_000 };
    expect(decodeEntry(encodeEntry(saved), entry.key)).toEqual(saved);
    expect(decodeEntry(encodeEntry(saved), 'GET https://a/u')).toBeUndefined();
  });

  it('have the tags of both fields', () => {
    expect([...entryTags(entry)]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('show any changed byte', () => {
    const intact = encodeEntry({ entry, generation: 3, savedMs: 1 });
    for (let i = 0; i < intact.length; i++) {
      const damaged = Buffer.from(intact);
      damaged[i] = (damaged[i] ?? 0) ^ 4;
      expect(decodeEntry(damaged, entry.key), `byte ${i}`).toBeUndefined();
    }
  });
});

describe('index records', () => {
  it('come back as they were', () => {
    const property = fc.property(count, count, fc.integer({ min: 1, max: pieceBytes }), (id, first, length) => {
      expect(decodeReverse(encodeReverse({ id, first, length }))).toEqual({ id, first, length });
      const place = { generation: id % 2 ** 32, sequence: first % 2 ** 32 };
      expect(decodePlace(encodePlace(place, length))).toEqual({ ...place, length });
      const state = { bytes: id, sequence: length, pieces: first % 2 ** 32 };
      expect(decodeGenerationState(encodeGenerationState(state))).toEqual(state);
    });
    fc.assert(property, { seed: fuzzSeed });
  });

  it('have keys in the order of numbers, each in its range only', () => {
    const property = fc.property(count, count, count, (id, first, other) => {
      expect(Math.sign(Buffer.compare(pieceKey(id, first), pieceKey(id, other)))).toBe(Math.sign(first - other));
      expect(isIn(pieceKey(id, first), pieceRange(id))).toBe(true);
      expect(isIn(pieceKey(id, first), pieceRange(other))).toBe(id === other);
    });
    fc.assert(property, { seed: fuzzSeed });
  });

  it('find entries by prefix and tags by name only', () => {
    expect(isIn(entryKey('abc'), entryRange('ab'))).toBe(true);
    expect(isIn(entryKey('ab'), entryRange('ab'))).toBe(true);
    expect(isIn(entryKey('aü'), entryRange('a'))).toBe(true);
    expect(isIn(entryKey('ac'), entryRange('ab'))).toBe(false);
    expect(isIn(tagKey('t', 'k'), tagRange('t'))).toBe(true);
    expect(isIn(tagKey('tt', 'k'), tagRange('t'))).toBe(false);
  });

  it('are nothing when they are garbage', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const garbage = Buffer.from(bytes);
      decodePlace(garbage);
      decodeReverse(garbage);
      expect(decodeGenerationState(garbage)).toBeUndefined();
      expect(decodeEntry(garbage, 'k')).toBeUndefined();
      expect(
        decodePiece(garbage, { id: 1, first: 0, length: Math.max(1, garbage.length - pieceHeaderBytes) }),
      ).toBeUndefined();
    });
    fc.assert(property, { seed: fuzzSeed, numRuns: 2000 });
  });
});

function isIn(key: Buffer, { gte, lt }: { gte: Buffer; lt: Buffer }): boolean {
  return Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0;
}
