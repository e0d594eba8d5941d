import type { Ed25519PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id';
import { PeerError } from '../failure.ts';

/**
 * Digests are of aligned slices of this size; the last one of a representation may be shorter. A data frame is no longer,
 * so that one digest serves for both.
 */
export const sliceBytes = 32 * 1024;
/** Longer bodies go without a manifest: what is given with one is hashed before it is sent. */
export const signedBytesMax = 4 * 1024 * 1024;

/** What a node that fetched from the origin says of the bytes. */
interface ManifestContent {
  readonly key: string;
  /** Validators as received, empty where there was none. */
  readonly etag: string;
  readonly lastModified: string;
  readonly completeLength: number;
  /** Index of the slice of the first digest. */
  readonly firstSlice: number;
  /** BLAKE3 of each slice. */
  readonly digests: readonly Buffer[];
}

export interface Manifest extends ManifestContent {
  readonly signer: string;
  readonly signature: Buffer;
}

const digestBytes = 32;
const signatureBytes = 64;
const signedPrefix = Buffer.from('eddy manifest v2\0');

export async function signManifest(content: ManifestContent, privateKey: Ed25519PrivateKey): Promise<Manifest> {
  const signer = peerIdFromPrivateKey(privateKey).toString();
  const signature = Buffer.from(await privateKey.sign(signedBytes({ ...content, signer })));
  return { ...content, signer, signature };
}

/** Undefined when the signer signed exactly this; else why not. Never throws. */
export async function manifestFault(manifest: Manifest): Promise<string | undefined> {
  try {
    const { publicKey } = peerIdFromString(manifest.signer);
    if (publicKey === undefined) return 'a signer without a key';
    const valid = await publicKey.verify(signedBytes(manifest), manifest.signature);
    return valid ? undefined : 'not signed by its signer';
  } catch {
    return 'not a signer';
  }
}

/** Whether somebody said exactly this. */
export function sameContent(said: ManifestContent | undefined, content: ManifestContent): boolean {
  if (said === undefined || said.digests.length !== content.digests.length) return false;
  const { key, etag, lastModified, completeLength, firstSlice } = said;
  if (key !== content.key || etag !== content.etag || lastModified !== content.lastModified) return false;
  if (completeLength !== content.completeLength || firstSlice !== content.firstSlice) return false;
  return said.digests.every((digest, i) => content.digests[i]?.equals(digest));
}

/** Four texts, each after its length in 16 bits; length u64; first slice u32; count u32; the digests; the signature. */
export function encodeManifest(manifest: Manifest): Buffer {
  return Buffer.concat([contentBytes(manifest), manifest.signature]);
}

/** Undefined when it has not the form of one. Says nothing about the signature. Its digests are parts of `encoded`. */
export function decodeManifest(encoded: Buffer): Manifest | undefined {
  let at = 0;
  const texts: string[] = [];
  for (let i = 0; i < 4; i++) {
    if (at + 2 > encoded.length) return undefined;
    const length = encoded.readUInt16BE(at);
    if (at + 2 + length > encoded.length) return undefined;
    texts.push(encoded.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  if (at + 16 > encoded.length) return undefined;
  const completeLength = Number(encoded.readBigUInt64BE(at));
  const firstSlice = encoded.readUInt32BE(at + 8);
  const count = encoded.readUInt32BE(at + 12);
  at += 16;
  if (!Number.isSafeInteger(completeLength) || encoded.length !== at + count * digestBytes + signatureBytes)
    return undefined;
  if ((firstSlice + count - 1) * sliceBytes >= Math.max(1, completeLength)) return undefined;
  const digests = Array.from({ length: count }, (_, i) =>
    encoded.subarray(at + i * digestBytes, at + (i + 1) * digestBytes),
  );
  const signature = Buffer.from(encoded.subarray(at + count * digestBytes));
  const [key = '', etag = '', lastModified = '', signer = ''] = texts;
  return { key, etag, lastModified, completeLength, firstSlice, digests, signer, signature };
}

function signedBytes(content: Omit<Manifest, 'signature'>): Buffer {
  return Buffer.concat([signedPrefix, contentBytes(content)]);
}

function contentBytes(content: Omit<Manifest, 'signature'>): Buffer {
  const { key, etag, lastModified, signer, completeLength, firstSlice, digests } = content;
  const parts: Buffer[] = [];
  for (const text of [key, etag, lastModified, signer]) {
    const bytes = Buffer.from(text);
    if (bytes.length > 0xffff)
      throw new PeerError('broken', `a text of ${bytes.length} bytes does not fit in a manifest`);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    parts.push(length, bytes);
  }
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64BE(BigInt(completeLength));
  numbers.writeUInt32BE(firstSlice, 8);
  numbers.writeUInt32BE(digests.length, 12);
  return Buffer.concat([...parts, numbers, ...digests]);
}
