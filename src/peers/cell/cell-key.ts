import { createHash, hkdfSync } from 'node:crypto';
import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey, Ed25519PublicKey } from '@libp2p/interface';
import { EddyError } from '../../errors.ts';

/** A group of nodes, and what proves that a node belongs to it. */
export interface Cell {
  readonly name: string;
  /** SHA-256 of name and public key, in hex, cut to 32 digits: names the cell on the wire and in mDNS. */
  readonly tag: string;
  readonly publicKey: Ed25519PublicKey;
  /** Undefined for a node that has a credential of its own instead of the cell's key. */
  readonly privateKey: Ed25519PrivateKey | undefined;
}

const nameLengthMax = 64;

/** The cell of that name and key: 32 bytes in hex, as the cell key file holds them. White space around is ignored. */
export async function openCell(name: string, keyHex: string): Promise<Cell> {
  const hex = keyHex.trim();
  if (!/^[0-9a-f]{64}$/i.test(hex))
    throw new EddyError(
      'bad-request',
      `a cell key is 32 bytes as 64 hex digits; this one has ${hex.length} characters`,
      {
        side: 'internal',
      },
    );
  checkName(name);
  const seed = hkdfSync('sha256', Buffer.from(hex, 'hex'), name, 'eddy cell signing key v1', 32);
  const privateKey = await generateKeyPairFromSeed('Ed25519', new Uint8Array(seed));
  return { name, tag: tagOf(name, privateKey.publicKey), publicKey: privateKey.publicKey, privateKey };
}

/** The cell as seen by a node that was given a credential: its name and its public key, 32 bytes. */
export function joinedCell(name: string, publicKey: Uint8Array): Cell {
  checkName(name);
  const key = publicKeyFromRaw(publicKey);
  if (key.type !== 'Ed25519')
    throw new EddyError('bad-request', `a cell's public key is 32 bytes, not ${publicKey.length}`, {
      side: 'internal',
    });
  return { name, tag: tagOf(name, key), publicKey: key, privateKey: undefined };
}

function tagOf(name: string, publicKey: Ed25519PublicKey): string {
  return createHash('sha256').update(`eddy cell v1\0${name}\0`).update(publicKey.raw).digest('hex').slice(0, 32);
}

function checkName(name: string): void {
  if (name.length < 1 || name.length > nameLengthMax)
    throw new EddyError('bad-request', `a cell's name has 1 to ${nameLengthMax} characters, not ${name.length}`, {
      side: 'internal',
    });
}
