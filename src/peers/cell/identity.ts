import { chmod, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { Ed25519PrivateKey } from '@libp2p/interface';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { EddyError, messageOf } from '../../errors.ts';
import { makeDirectory } from '../../make-directory.ts';

/** Who this node is to its peers. */
export interface Identity {
  readonly privateKey: Ed25519PrivateKey;
  /** As in multiaddrs: `12D3KooW…`. */
  readonly peerId: string;
}

/**
 * The node's Ed25519 key, from `file`: libp2p's protobuf of a private key, in base64, readable by its owner alone.
 * Made on the first start; the same peer id ever after. Rejects with a clear error when the file is no such key.
 */
export async function openIdentity(file: string): Promise<Identity> {
  const stored = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unusable(file, error);
  });
  if (stored === undefined) return identityOf(await create(file));
  // On a file system that is read-only it stays what it is, and is the node's all the same.
  await chmod(file, 0o600).catch(() => undefined);
  return identityOf(parse(file, stored));
}

/** An identity that is not kept. */
export async function passingIdentity(): Promise<Identity> {
  return identityOf(await generateKeyPair('Ed25519'));
}

function identityOf(privateKey: Ed25519PrivateKey): Identity {
  return { privateKey, peerId: peerIdFromPrivateKey(privateKey).toString() };
}

function parse(file: string, stored: string): Ed25519PrivateKey {
  try {
    const key = privateKeyFromProtobuf(Buffer.from(stored.trim(), 'base64'));
    if (key.type !== 'Ed25519') throw new Error(`it is a key of type ${key.type}`);
    return key;
  } catch (error) {
    throw unusable(file, error);
  }
}

/** Written beside and renamed, so that a crash leaves either no identity or a whole one. */
async function create(file: string): Promise<Ed25519PrivateKey> {
  const key = await generateKeyPair('Ed25519');
  const part = `${file}.${process.pid}.part`;
  await makeDirectory(dirname(file));
  await rm(part, { force: true });
  const handle = await open(part, 'wx', 0o600);
  try {
    await handle.writeFile(`${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(part, file);
  return key;
}

function unusable(file: string, cause: unknown): EddyError {
  return new EddyError(
    'internal',
    `${file} is not a node identity (${messageOf(cause)}); restore it, or remove it for a new one`,
    { side: 'internal', cause },
  );
}
