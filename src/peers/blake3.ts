import { messageOf } from '../errors.ts';

/** 32 bytes, the caller's. */
type Digest = (bytes: Uint8Array) => Buffer;

interface Opened {
  readonly digest: Digest;
  /** Why the package's own binary is not used; undefined: it is. */
  readonly nativeFault: string | undefined;
}

/** Of no bytes at all, from the official test vectors. */
const ofNothing = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';

/** What `load` gives, where there is a binary for this machine and it gives the right digest; else JavaScript, at 1% of its speed. */
export async function openBlake3(load: () => Promise<Digest> = native): Promise<Opened> {
  try {
    const digest = await load();
    const got = digest(new Uint8Array()).toString('hex');
    if (got === ofNothing) return { digest, nativeFault: undefined };
    return { digest: await inJavaScript(), nativeFault: `its digest of nothing is ${got}` };
  } catch (error) {
    return { digest: await inJavaScript(), nativeFault: messageOf(error) };
  }
}

const opened = await openBlake3();

/** BLAKE3 with 256 bits: the digest of frames and of the slices of manifests. */
export const blake3 = opened.digest;
export const blake3NativeFault = opened.nativeFault;

async function native(): Promise<Digest> {
  const { blake3UrlSafeBase64 } = await import('@napi-rs/blake-hash');
  // As text: the Buffer that it could give is memory of its own outside the heap, and takes half as long again.
  return (bytes) => Buffer.from(blake3UrlSafeBase64(bytes as Buffer), 'base64url');
}

async function inJavaScript(): Promise<Digest> {
  const { blake3 } = await import('@noble/hashes/blake3.js');
  return (bytes) => Buffer.from(blake3(bytes));
}
