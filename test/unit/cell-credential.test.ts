import { expect, it } from 'vitest';
import { credentialText, parseCredential } from '../../src/config/cell-credential.ts';

const [peerId, publicKey, signature] = ['1'.repeat(52), Buffer.alloc(32, 1), Buffer.alloc(64, 2)];
const credential = { cell: 'c', publicKey, peerId, expiresMs: 1_800_000_000_000, signature };

it('of a file has no time that cannot be told to others: unsigned milliseconds since 1970', () => {
  expect(parseCredential(credentialText(credential))).toEqual(credential);
  expect(parseCredential(credentialText({ ...credential, expiresMs: 0 }))?.expiresMs).toBe(0);
  expect(parseCredential(credentialText({ ...credential, expiresMs: -1 }))).toBeUndefined();
});
