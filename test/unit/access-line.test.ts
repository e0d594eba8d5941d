import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { AccessRecord } from '../../src/http/exchange/access.ts';
import { AccessLines } from '../../src/http/exchange/access-line.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '/a.m4s', '"\\\n'),
);
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const ms = fc.oneof(fc.constantFrom(0, 0.0214), fc.double({ min: 0, max: 1e7, noNaN: true }));

const record: fc.Arbitrary<AccessRecord> = fc.record({
  time: fc.constantFrom(0, 1_795_264_219_123, 1_795_264_219_124),
  remote: fc.constantFrom('127.0.0.1', 'fe80::1%eth0', ''),
  method: fc.oneof(fc.constant('GET'), text),
  target: text,
  protocol: fc.constantFrom('HTTP/1.1', 'HTTP/2'),
  status: fc.constantFrom(0, 200, 206),
  bytes: fc.nat(),
  durationMs: ms,
  firstByteMs: optional(ms),
  complete: fc.boolean(),
  hit: fc.boolean(),
  detail: fc.constantFrom(undefined, 'ram', 'disk'),
  fwd: fc.constantFrom(undefined, 'miss', 'stale'),
  collapsed: fc.boolean(),
  map: optional(text),
  range: optional(text),
  userAgent: optional(text),
  error: fc.constantFrom(undefined, 'client-gone', 'bad-request'),
  releaseMs: optional(ms),
});

it('a line has what its record has, with times in microseconds', () => {
  const lines = new AccessLines();
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), (records) => {
      for (const each of records) {
        const { level, msg, durationMs, firstByteMs, ...rest } = JSON.parse(lines.of(each));
        expect([level, msg]).toEqual(['info', 'request']);
        const { durationMs: _duration, firstByteMs: _first, releaseMs: _release, ...expected } = each;
        expect(rest).toEqual(JSON.parse(JSON.stringify(expected)));
        expect(durationMs).toBeCloseTo(each.durationMs, 2);
        expect(firstByteMs === undefined).toBe(each.firstByteMs === undefined);
        expect(firstByteMs ?? 0).toBeCloseTo(each.firstByteMs ?? 0, 2);
      }
    }),
    { seed: fuzzSeed },
  );
});
