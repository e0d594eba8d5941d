import { createCipheriv } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openGmac } from '../../src/disk/record/gmac.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const key = Buffer.from('a key of 16 byte', 'latin1');
const nonce = Buffer.from('nonce of 12.', 'latin1');

function standard(bytes: Buffer): Buffer {
  const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(bytes);
  cipher.final();
  return cipher.getAuthTag();
}

it('a tag is that of node:crypto, whatever was tagged before and wherever the bytes lie', () => {
  const gmac = openGmac({ key, nonce });
  const parts = fc.array(fc.tuple(fc.uint8Array({ maxLength: 5000 }), fc.nat(64)), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(parts, (all) => {
      for (const [content, offset] of all) {
        const bytes = Buffer.concat([Buffer.alloc(offset), content]).subarray(offset);
        expect(gmac(bytes).equals(standard(bytes))).toBe(true);
      }
    }),
    { seed: fuzzSeed },
  );
});
