import type { Ed25519PrivateKey } from '@libp2p/interface';
import type { Fields } from '../fields.ts';
import type { KeptDigests } from './kept-digests.ts';
import { decodeManifest, encodeManifest, type Manifest, sliceBytes, signManifest } from './manifest.ts';
import { windowBytes } from './placement.ts';
import { SliceDigests } from './slices.ts';

/** What manifests of others take in memory. */
const bytesMax = 8 * 1024 * 1024;
/** Bodies longer than this are given on without their manifest: what is given is hashed before it is sent. */
const givenBytesMax = 4 * 1024 * 1024;

/** A body as far as manifests are concerned. */
export interface Described {
  readonly key: string;
  readonly fields: Fields;
  /** Where it starts in its representation. */
  readonly first: number;
  readonly completeLength: number;
}

/** Signs what this node fetched from the origin, and keeps what others signed, to be given on with the bytes. */
export class Manifests {
  readonly #privateKey: Ed25519PrivateKey;
  readonly #kept = new Map<string, Buffer>();
  #bytes = 0;

  constructor(privateKey: Ed25519PrivateKey) {
    this.#privateKey = privateKey;
  }

  /** Keeps one whose signature is good, of a representation with a strong ETag. */
  keep({ key, etag, firstSlice }: Manifest, encoded: Buffer): void {
    if (!etag.startsWith('"')) return;
    const name = nameOf(key, etag, firstSlice * sliceBytes);
    this.#drop(name);
    this.#kept.set(name, encoded);
    this.#bytes += encoded.length;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= bytesMax) return;
      this.#drop(oldest);
    }
  }

  /** What somebody signed of these very bytes, which are at hand; undefined: nothing, or other bytes. */
  of(body: Described, peek: () => readonly Buffer[] | undefined, kept: KeptDigests): Buffer | undefined {
    const { key, fields, first, completeLength } = body;
    const name = nameOf(key, fields.get('etag') ?? '', Math.ceil(first / sliceBytes) * sliceBytes);
    const encoded = this.#kept.get(name);
    const manifest = encoded && decodeManifest(encoded);
    const buffers = manifest && peek();
    if (manifest === undefined || buffers === undefined) return undefined;
    if (buffers.reduce((sum, { length }) => sum + length, 0) > givenBytesMax) return undefined;
    const slices = new SliceDigests(first, { completeLength, kept });
    for (const bytes of buffers) slices.push(bytes);
    const same = slices.digests.every((digest, i) => {
      const signed = manifest.digests[slices.firstSlice + i - manifest.firstSlice];
      return signed === undefined || signed.equals(digest);
    });
    if (!slices.whole) return undefined;
    if (same && manifest.completeLength === completeLength) return encoded;
    // Whoever signed it did not give what it signed. It must not be held against this node.
    this.#drop(name);
    return undefined;
  }

  /** Undefined when there is nothing to sign: no slice, or no validator that binds the bytes. */
  async sign({ key, fields, completeLength }: Described, slices: SliceDigests): Promise<Buffer | undefined> {
    const etag = fields.get('etag') ?? '';
    const { digests, firstSlice, whole } = slices;
    if (!whole || !etag.startsWith('"') || digests.length === 0) return undefined;
    const lastModified = fields.get('last-modified') ?? '';
    return encodeManifest(
      await signManifest({ key, etag, lastModified, completeLength, firstSlice, digests }, this.#privateKey),
    );
  }

  #drop(name: string): void {
    this.#bytes -= this.#kept.get(name)?.length ?? 0;
    this.#kept.delete(name);
  }
}

/** One for each group of a representation: the last that came. */
function nameOf(key: string, etag: string, first: number): string {
  return `${Math.floor(first / windowBytes)} ${etag} ${key}`;
}
