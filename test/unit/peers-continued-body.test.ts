import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Supplier, SupplyRequest } from '../../src/cache/supply.ts';
import { Fields } from '../../src/fields.ts';
import { ContinuedBody } from '../../src/peers/ask/continued-body.ts';
import { PeerError, type PeerFailure } from '../../src/peers/failure.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { patternBytes } from '../support/pattern.ts';
import { get } from '../support/peers.ts';

const whole = patternBytes('continued', 0, 10_000);
const signal = new AbortController().signal;

interface OriginTraits {
  readonly bytes?: Buffer;
  readonly etag?: string;
  readonly ignoresRanges?: boolean;
  readonly chunk?: number;
}

class Origin implements Supplier {
  readonly name = 'origin';
  readonly asked: SupplyRequest[] = [];
  readonly #traits: OriginTraits;

  constructor(traits: OriginTraits) {
    this.#traits = traits;
  }

  async supply(request: SupplyRequest) {
    this.asked.push(request);
    const { bytes = whole, etag, ignoresRanges = false, chunk = 700 } = this.#traits;
    const range = ignoresRanges ? null : /^bytes=(\d+)-(\d+)$/.exec(request.fields.get('range') ?? '');
    const matches = request.fields.get('if-range') === etag;
    const [first, last] = range !== null && matches ? [Number(range[1]), Number(range[2])] : [0, bytes.length - 1];
    const part = range !== null && matches;
    const fields = Fields.of({
      ...(etag && { etag }),
      ...(part && { 'content-range': `bytes ${first}-${last}/${bytes.length}` }),
    });
    const body = pieces(bytes.subarray(first, last + 1), chunk);
    return { source: 'origin', status: part ? 206 : 200, fields, body, requestTimeMs: 0, responseTimeMs: 0 } as const;
  }
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function* brokenOff(bytes: Buffer, failure: PeerFailure): AsyncGenerator<Buffer> {
  yield* pieces(bytes, 300);
  throw new PeerError(failure, 'broke off');
}

function continued(
  peer: AsyncIterable<Buffer>,
  next: Supplier,
  { status = 200, fields = {} }: { status?: number; fields?: Record<string, string> } = {},
): ContinuedBody {
  return new ContinuedBody(peer, {
    request: get('/x'),
    status,
    fields: Fields.of(fields),
    next: (rest) => next.supply(rest, { signal }),
  });
}

async function all(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts);
}

describe('a body that a peer breaks off', () => {
  it('goes on at any byte, under a strong ETag or after proving to be the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length),
        fc.integer({ min: 1, max: 4_000 }),
        fc.boolean(),
        async (at, chunk, strong) => {
          const etag = strong ? { etag: '"a"' } : {};
          const origin = new Origin({ ...etag, chunk });
          const fields = { ...etag, 'content-length': String(whole.length) };
          expect(
            (await all(continued(brokenOff(whole.subarray(0, at), 'timeout'), origin, { fields }))).equals(whole),
          ).toBe(true);
          const ranges = origin.asked.map((each) => each.fields.get('range'));
          if (strong) expect(ranges).toEqual(at === whole.length ? [] : [`bytes=${at}-9999`]);
        },
      ),
      { seed: fuzzSeed, numRuns: 100 },
    );
  });

  it.each([
    [200, { 'content-length': '10000' }],
    [206, { 'content-range': 'bytes 0-9999/20000' }],
  ])('asks for nothing more where all had come (%d)', async (status, fields) => {
    const origin = new Origin({ etag: '"a"' });
    const body = continued(brokenOff(whole, 'timeout'), origin, { status, fields: { etag: '"a"', ...fields } });
    expect((await all(body)).equals(whole)).toBe(true);
    expect(origin.asked).toEqual([]);
  });

  it('goes on inside a range', async () => {
    const origin = new Origin({ etag: '"a"' });
    const fields = { etag: '"a"', 'content-range': 'bytes 1000-4999/10000' };
    const body = continued(brokenOff(whole.subarray(1_000, 2_500), 'broken'), origin, { status: 206, fields });
    expect((await all(body)).equals(whole.subarray(1_000, 5_000))).toBe(true);
    expect(origin.asked[0]?.fields.get('range')).toBe('bytes=2500-4999');
  });

  it('goes on when the origin knows no ranges', async () => {
    const fields = { etag: '"a"', 'content-length': '10000' };
    const body = continued(
      brokenOff(whole.subarray(0, 4_321), 'broken'),
      new Origin({ etag: '"a"', ignoresRanges: true }),
      { fields },
    );
    expect((await all(body)).equals(whole)).toBe(true);
  });

  it.each<[string, OriginTraits, Record<string, string>]>([
    ['has another ETag now', { etag: '"b"' }, { etag: '"a"', 'content-length': '10000' }],
    ['begins with other bytes', { bytes: Buffer.alloc(10_000) }, {}],
    ['is shorter than what was given', { bytes: whole.subarray(0, 100) }, {}],
  ])('does not when the origin %s', async (_, traits, fields) => {
    const body = continued(brokenOff(whole.subarray(0, 5_000), 'broken'), new Origin(traits), { fields });
    await expect(all(body)).rejects.toThrow('broke off');
  });

  it.each<PeerFailure>(['corrupt', 'aborted'])('does not when it was %s', async (failure) => {
    const origin = new Origin({ etag: '"a"' });
    const body = continued(brokenOff(whole.subarray(0, 500), failure), origin, {
      fields: { etag: '"a"', 'content-length': '10000' },
    });
    await expect(all(body)).rejects.toThrow('broke off');
    expect(origin.asked).toEqual([]);
  });

  it('goes on when it was corrupt from the start', async () => {
    const fields = { etag: '"a"', 'content-length': '10000' };
    const body = continued(brokenOff(Buffer.alloc(0), 'corrupt'), new Origin({ etag: '"a"' }), { fields });
    expect((await all(body)).equals(whole)).toBe(true);
  });
});
