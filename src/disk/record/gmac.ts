import { createCipheriv } from 'node:crypto';
import { type Libc, openLibc } from '../../libc.ts';

/** The tag that AES-128-GCM gives bytes as additional data (NIST SP 800-38D): 16 bytes, valid until the next call. */
type Gmac = (bytes: Buffer) => Buffer;

interface GmacOptions {
  /** 16 bytes. */
  readonly key: Buffer;
  /** 12 bytes. */
  readonly nonce: Buffer;
}

/** OpenSSL, evp.h; Node is linked with it. */
const functions = {
  EVP_CIPHER_CTX_new: { arguments: [], return: 'pointer' },
  EVP_aes_128_gcm: { arguments: [], return: 'pointer' },
  EVP_EncryptInit_ex: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'pointer'], return: 'int32' },
  EVP_EncryptUpdate: { arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'int32'], return: 'int32' },
  EVP_EncryptFinal_ex: { arguments: ['pointer', 'pointer', 'pointer'], return: 'int32' },
  EVP_CIPHER_CTX_ctrl: { arguments: ['pointer', 'int32', 'int32', 'pointer'], return: 'int32' },
} as const;
const EVP_CTRL_AEAD_GET_TAG = 0x10;
const tagBytes = 16;

/**
 * A cipher of node:crypto is made anew for each use, and costs half as much as a piece of 256 KB takes. With one that
 * stays that is a tenth. Where it cannot be had, or gives something else, node:crypto is used.
 */
export function openGmac(options: GmacOptions): Gmac {
  const standard = standardGmac(options);
  const libc = openLibc(functions);
  const kept = libc && keptGmac(libc, options);
  if (kept === undefined) return standard;
  const samples = [Buffer.from('eddy'), Buffer.alloc(4099, 'piece')];
  // Twice over: what one call leaves must not be in the next.
  const agrees = [...samples, ...samples].every((sample) => kept(sample).equals(standard(sample)));
  return agrees ? kept : standard;
}

function standardGmac({ key, nonce }: GmacOptions): Gmac {
  return (bytes) => {
    const cipher = createCipheriv('aes-128-gcm', key, nonce);
    cipher.setAAD(bytes);
    cipher.final();
    return cipher.getAuthTag();
  };
}

/** Undefined when OpenSSL does not give a cipher. The context is never freed: there is one for each thread. */
function keptGmac({ call, addressOf }: Libc<typeof functions>, { key, nonce }: GmacOptions): Gmac | undefined {
  const context = call.EVP_CIPHER_CTX_new();
  // For the key, the nonce, what OpenSSL says that it wrote (nothing), and the tag: these stay where they are.
  const fixed = Buffer.allocUnsafeSlow(64);
  const [keyAt, nonceAt, writtenAt, tagAt] = [0, 16, 28, 32].map((at) => addressOf(fixed.buffer) + BigInt(at));
  if (keyAt === undefined || nonceAt === undefined || writtenAt === undefined || tagAt === undefined) return undefined;
  key.copy(fixed, 0);
  nonce.copy(fixed, 16);
  if (call.EVP_EncryptInit_ex(context, call.EVP_aes_128_gcm(), 0n, keyAt, nonceAt) !== 1) return undefined;
  const tag = fixed.subarray(32, 32 + tagBytes);
  return (bytes) => {
    const from = addressOf(bytes.buffer as ArrayBuffer) + BigInt(bytes.byteOffset);
    tag.fill(0);
    call.EVP_EncryptInit_ex(context, 0n, 0n, 0n, nonceAt);
    call.EVP_EncryptUpdate(context, 0n, writtenAt, from, bytes.length);
    call.EVP_EncryptFinal_ex(context, tagAt, writtenAt);
    call.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tagBytes, tagAt);
    return tag;
  };
}
