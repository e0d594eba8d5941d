import { EddyError } from '../../errors.ts';
import type { Cell } from './cell-key.ts';

/**
 * Proof that a peer id is a member of a cell: the cell's Ed25519 signature of both and of an expiry. It is of use only to
 * whoever holds the key of that peer id, which the transport has proven, so it may be shown to anyone and needs no nonce.
 */
export interface Credential {
  readonly peerId: string;
  readonly expiresMs: number;
  readonly signature: Buffer;
}

export type CredentialFault = 'another peer' | 'expired' | 'too far ahead' | 'not signed by the cell';

/** Clocks of members may differ by this much. */
const clockSkewMs = 5 * 60_000;
/** Of any credential, from now on. */
export const lifetimeMsMax = 400 * 24 * 3_600_000;
const signatureBytes = 64;
const encodedBytes = 8 + signatureBytes;

/** Signs a credential for that peer id; only a holder of the cell's key can. */
export async function issueCredential(
  cell: Cell,
  { peerId, expiresMs }: { peerId: string; expiresMs: number },
): Promise<Credential> {
  if (cell.privateKey === undefined)
    throw new EddyError('internal', `the key of cell ${cell.name} is not on this node`, { side: 'internal' });
  const signature = Buffer.from(await cell.privateKey.sign(signedBytes(cell, peerId, expiresMs)));
  return { peerId, expiresMs, signature };
}

/** Undefined when `credential` makes `peerId` a member of `cell` now; else why not. Never throws. */
export async function credentialFault(
  cell: Cell,
  credential: Credential,
  { peerId, nowMs }: { peerId: string; nowMs: number },
): Promise<CredentialFault | undefined> {
  if (credential.peerId !== peerId) return 'another peer';
  const byTime = expiryFault(credential.expiresMs, nowMs);
  if (byTime !== undefined) return byTime;
  try {
    const signed = signedBytes(cell, peerId, credential.expiresMs);
    return (await cell.publicKey.verify(signed, credential.signature)) ? undefined : 'not signed by the cell';
  } catch {
    return 'not signed by the cell';
  }
}

/** What is wrong with that expiry now. */
export function expiryFault(expiresMs: number, nowMs: number): 'expired' | 'too far ahead' | undefined {
  if (!(expiresMs + clockSkewMs > nowMs)) return 'expired';
  return expiresMs > nowMs + lifetimeMsMax + clockSkewMs ? 'too far ahead' : undefined;
}

/** Expiry as 8 bytes big-endian milliseconds, then the signature. The peer id goes without saying. */
export function encodeCredential({ expiresMs, signature }: Credential): Buffer {
  const encoded = Buffer.alloc(encodedBytes);
  encoded.writeBigUInt64BE(BigInt(expiresMs));
  signature.copy(encoded, 8);
  return encoded;
}

/** Undefined when it has not the form of one. */
export function decodeCredential(encoded: Buffer, peerId: string): Credential | undefined {
  if (encoded.length !== encodedBytes) return undefined;
  const expiresMs = Number(encoded.readBigUInt64BE());
  if (!Number.isSafeInteger(expiresMs)) return undefined;
  return { peerId, expiresMs, signature: Buffer.from(encoded.subarray(8)) };
}

function signedBytes(cell: Cell, peerId: string, expiresMs: number): Buffer {
  return Buffer.from(`eddy member v1\0${cell.tag}\0${peerId}\0${expiresMs}`);
}
