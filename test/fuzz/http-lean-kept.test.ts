import fc from 'fast-check';
import { expect, it } from 'vitest';
import { limitsSchema } from '../../src/config/limits.ts';
import { LeanReader, type LeanRequest } from '../../src/http/lean/lean-request.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const ranges = fc.oneof(
  fc.tuple(fc.nat(2_000_000), fc.option(fc.nat(2_000_000))).map(([first, last]) => `bytes=${first}-${last ?? ''}`),
  fc.constantFrom(
    'bytes=-5',
    'bytes=0-1,3-4',
    'bytes=0-9 ',
    'Bytes=0-9',
    'bytes=',
    'x',
    '',
    'bytes=1-2\r\nRange: bytes=3-4',
  ),
  fc.constantFrom('bytes=0-1\r\n\r\n', 'bytes=0-1\n', 'bytes=0-1\r\nExpect: x', `bytes=0-${'9'.repeat(16)}`),
);
const lines = fc.constantFrom(
  'Accept: */*',
  'Cookie: a=b',
  'Connection: close',
  'If-Range: "x"',
  'Range: bytes=5-6',
  'Te: x',
);
/** Few targets and fields, so that what was read before is often nearly the same. */
const requests = fc.record({
  target: fc.constantFrom('/a', '/b?x', '/c#'),
  name: fc.constantFrom('Range: ', 'range:', 'Range:   '),
  range: fc.option(ranges),
  before: fc.subarray(['Host: a', 'User-Agent: x'], { minLength: 1 }),
  behind: fc.array(lines, { maxLength: 2 }),
  more: fc.constantFrom('', '', 'GET /'),
});

it('reads each request as it would if it were the first one', () => {
  const limits = { ...limitsSchema.parse({}), headBytesMax: 120 };
  console.log(`http lean kept: EDDY_FUZZ_SEED=${fuzzSeed}`);
  let ranged = 0;
  const property = fc.property(fc.array(requests, { maxLength: 30 }), (sequence) => {
    const reader = new LeanReader(limits);
    for (const { target, name, range, before, behind, more } of sequence) {
      const section = [...before, ...(range === null ? [] : [name + range]), ...behind];
      const text = `GET ${target} HTTP/1.1\r\n${section.join('\r\n')}\r\n\r\n${more}`;
      const read = reader.read(text, 0);
      expect(seen(read), text).toEqual(seen(new LeanReader(limits).read(text, 0)));
      if (read?.read.fields.has('range') === true) ranged++;
    }
  });
  fc.assert(property, { seed: fuzzSeed, numRuns: 3_000 });
  expect(ranged).toBeGreaterThan(1_000);
});

/** All that can be told of a request; `get` and `isPlain` go by what is kept of the names. */
function seen(request: LeanRequest | undefined): unknown {
  if (request === undefined) return undefined;
  const { read, close, end } = request;
  const { fields, ...rest } = read;
  return { ...rest, close, end, raw: fields.raw, range: fields.get('range'), plain: fields.isPlain };
}
