import assert from 'node:assert/strict';

/**
 * Bytes first .. first + length - 1 of the endless sequence named by `seed`: the same on every call, different at
 * every offset, at some hundred MB/s, so that any byte of any range can be checked without keeping the whole.
 */
export function patternBytes(seed: string, first: number, length: number): Buffer {
  const firstWord = Math.floor(first / 4);
  const words = new Uint32Array(Math.ceil((first + length) / 4) - firstWord);
  const start = seedHash(seed);
  for (let i = 0; i < words.length; i++) {
    let word = (Math.imul(firstWord + i, 0x9e3779b1) + start) | 0;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    words[i] = word ^ (word >>> 16);
  }
  return Buffer.from(words.buffer, first - firstWord * 4, length);
}

/** Throws, naming the first wrong offset, unless `bytes` are those of the sequence from `first` on. */
export function assertPattern(bytes: Uint8Array, seed: string, first: number): void {
  const expected = patternBytes(seed, first, bytes.length);
  if (expected.equals(bytes)) return;
  const wrong = expected.findIndex((byte, i) => byte !== bytes[i]);
  assert.fail(`byte ${first + wrong} of ${seed} is ${bytes[wrong]}, should be ${expected[wrong]}`);
}

/** FNV-1a. */
function seedHash(seed: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
  return hash;
}
