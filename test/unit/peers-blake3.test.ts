import { describe, expect, it } from 'vitest';
import { blake3, blake3NativeFault, openBlake3 } from '../../src/peers/blake3.ts';

/**
 * Of the official test vectors (BLAKE3-team/BLAKE3, test_vectors.json): length of the input, which repeats 0 to 250, and
 * the first 32 bytes of `hash`. The lengths are those at which the tree of chunks grows.
 */
const vectors: readonly (readonly [bytes: number, digest: string])[] = [
  [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
  [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  [64, '4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98'],
  [1023, '10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11'],
  [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
  [1025, 'd00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444'],
  [8193, 'bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b'],
  [16384, 'f875d6646de28985646f34ee13be9a576fd515f76b5b0a26bb324735041ddde4'],
  [31744, '62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47'],
  [102400, 'bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085'],
];

const input = (bytes: number): Buffer => Buffer.from(Array.from({ length: bytes }, (_, i) => i % 251));

describe('BLAKE3', () => {
  it.each(vectors)('of %i bytes is the official one', (bytes, digest) => {
    // At an odd place of its memory, as parts of pieces are.
    const part = Buffer.concat([Buffer.from([9]), input(bytes), Buffer.from([9])]).subarray(1, 1 + bytes);
    expect(blake3(part).toString('hex')).toBe(digest);
  });

  it('is the binary here, where tests run', () => {
    expect(blake3NativeFault).toBeUndefined();
  });

  it('is the same in JavaScript, where there is no binary', async () => {
    const { digest, nativeFault } = await openBlake3(() => Promise.reject(new Error('no binary for this machine')));
    expect(nativeFault).toBe('no binary for this machine');
    for (const [bytes, expected] of vectors) expect(digest(input(bytes)).toString('hex')).toBe(expected);
  });

  it('is not left to a binary that gives something else', async () => {
    const { digest, nativeFault } = await openBlake3(async () => () => Buffer.alloc(32));
    expect(nativeFault).toBe(`its digest of nothing is ${'00'.repeat(32)}`);
    expect(digest(input(1025)).toString('hex')).toBe(vectors[5]?.[1]);
  });
});
