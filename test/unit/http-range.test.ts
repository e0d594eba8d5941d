import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeSpansMax, satisfy } from '../../src/http/reply/range.ts';
import { parseRange, type RangeSpec, rangeSpecsMax } from '../../src/semantics/range.ts';
import { fuzzSeed } from '../support/fuzz.ts';

describe('Range syntax (RFC 9110 14.1.1, 14.1.2)', () => {
  it.each<[string, RangeSpec[]]>([
    ['bytes=0-499', [{ first: 0, last: 499 }]],
    ['bytes=500-', [{ first: 500, last: undefined }]],
    ['bytes=-500', [{ suffixLength: 500 }]],
    ['bytes=0-0,-1', [{ first: 0, last: 0 }, { suffixLength: 1 }]],
    [
      'bytes= 0-0 ,\t, 5-6,',
      [
        { first: 0, last: 0 },
        { first: 5, last: 6 },
      ],
    ],
    ['Bytes=1-1', [{ first: 1, last: 1 }]],
    ['bytes=007-0008', [{ first: 7, last: 8 }]],
    ['bytes=0-99999999999999999999999', [{ first: 0, last: Number.MAX_SAFE_INTEGER }]],
  ])('%s', (value, specs) => {
    expect(parseRange(value)).toEqual(specs);
  });

  it.each([
    ...['', 'bytes', 'bytes=', 'bytes=,', 'bytes=-', 'bytes=1', 'bytes=a-b', 'bytes=1-b', 'bytes=1--2', 'bytes=2-1'],
    ...[
      'bytes=-1-',
      'bytes=0x1-2',
      'bytes=1-2;3-4',
      'bytes 1-2',
      'items=1-2',
      'bytes=1 - 2',
      'bytes=+1-2',
      'bytes=1.0-2',
    ],
    ...['bytes=99999999999999999999-99999999999999999998', 'bytes=1-2, bytes=3-4'],
  ])('%j is ignored', (value) => {
    expect(parseRange(value)).toBeUndefined();
  });

  it('more specs than the bound are ignored (17.15)', () => {
    const specs = (count: number) => `bytes=${Array.from({ length: count }, () => '0-0').join(',')}`;
    expect(parseRange(specs(rangeSpecsMax))).toHaveLength(rangeSpecsMax);
    expect(parseRange(specs(rangeSpecsMax + 1))).toBeUndefined();
  });

  it('takes any input in linear time', () => {
    for (const value of [
      `bytes=${' '.repeat(100_000)}1-`,
      `bytes=${'9'.repeat(100_000)}-`,
      `bytes=${','.repeat(100_000)}`,
      `bytes=1-${' '.repeat(100_000)}x`,
    ]) {
      const started = performance.now();
      parseRange(value);
      expect(performance.now() - started).toBeLessThan(500);
    }
  });
});

/** Which bytes each spec means, one by one, straight from the text of section 14.1.2. */
function wanted(specs: readonly RangeSpec[], length: number): boolean[] {
  return Array.from({ length }, (_, at) =>
    specs.some((spec) =>
      'suffixLength' in spec
        ? at >= length - spec.suffixLength
        : at >= spec.first && at <= (spec.last ?? Number.POSITIVE_INFINITY),
    ),
  );
}

describe('spans', () => {
  const spec = fc.oneof(
    fc.tuple(fc.nat(60), fc.nat(60)).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) })),
    fc.nat(60).map((first) => ({ first, last: undefined })),
    fc.nat(60).map((suffixLength) => ({ suffixLength })),
  );

  it('cover exactly the bytes asked for, apart from one another, in the order asked', () => {
    fc.assert(
      fc.property(fc.array(spec, { minLength: 1, maxLength: 12 }), fc.nat(50), (specs, length) => {
        const spans = satisfy(specs, length);
        if (spans === undefined) return length === 0;
        const model = wanted(specs, length);
        const sent = Array.from({ length }, (_, at) => spans.filter((s) => s.first <= at && at <= s.last).length);
        expect(sent).toEqual(model.map(Number));
        for (const a of spans) {
          expect(a.first <= a.last && a.last < length).toBe(true);
          // Adjacent ones are one.
          expect(spans.some((b) => b.first === a.last + 1)).toBe(false);
        }
        return true;
      }),
      { seed: fuzzSeed, numRuns: 5000 },
    );
    console.log(`range spans: EDDY_FUZZ_SEED=${fuzzSeed}`);
  });

  it('that touch nothing keep their order (15.3.7.2)', () => {
    const specs = [10, 30, 0, 20].map((first) => ({ first, last: first + 5 }));
    expect(satisfy(specs, 100)).toEqual(specs);
  });

  it('more than the bound mean the whole representation (17.15)', () => {
    const specs = (count: number) => Array.from({ length: count }, (_, i) => ({ first: i * 2, last: i * 2 }));
    expect(satisfy(specs(rangeSpansMax), 1000)).toHaveLength(rangeSpansMax);
    expect(satisfy(specs(rangeSpansMax + 1), 1000)).toBeUndefined();
  });
});
