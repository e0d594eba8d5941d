import type { Ed25519PrivateKey } from '@libp2p/interface';
import type { Fields } from '../../fields.ts';
import { windowBytes } from '../members/placement.ts';
import type { KeptDigests } from './kept-digests.ts';
import {
  decodeManifest,
  encodeManifest,
  type Manifest,
  manifestFault,
  sameContent,
  signedBytesMax,
  signManifest,
  sliceBytes,
} from './manifest.ts';
import { digestsOfSlices } from './slices.ts';

/** What manifests take in memory: those of others, and as much for our own. */
const bytesMax = 8 * 1024 * 1024;

/** A body as far as manifests are concerned. */
export interface Described {
  readonly key: string;
  readonly fields: Fields;
  /** Where it starts in its representation. */
  readonly first: number;
  readonly completeLength: number;
}

/** All bytes of a body, when they are in memory that is never written to again. */
type Peek = () => readonly Buffer[] | undefined;

/** Signs what this node fetched from the origin, and keeps what others signed, to be given on with the bytes. */
export class Manifests {
  readonly #privateKey: Ed25519PrivateKey;
  readonly #digests: KeptDigests;
  readonly #others = new Kept();
  readonly #own = new Kept();

  constructor(privateKey: Ed25519PrivateKey, digests: KeptDigests) {
    this.#privateKey = privateKey;
    this.#digests = digests;
  }

  /** Keeps one of a representation with a strong ETag. Its signature is looked at when it is to be given on. */
  keep({ key, etag, firstSlice }: Manifest, encoded: Buffer): void {
    if (etag.startsWith('"')) this.#others.set(nameOf(key, etag, firstSlice * sliceBytes), encoded);
  }

  /** What somebody signed of these very bytes, which are at hand; undefined: nothing, or other bytes. */
  async of(body: Described, peek: Peek): Promise<Buffer | undefined> {
    const { key, fields, first, completeLength } = body;
    const name = nameOf(key, fields.get('etag') ?? '', Math.ceil(first / sliceBytes) * sliceBytes);
    const encoded = this.#others.get(name);
    const manifest = encoded && decodeManifest(encoded);
    const slices = manifest && (await this.#slicesOf(body, peek() ?? []));
    if (manifest === undefined || slices === undefined) return undefined;
    const same = slices.digests.every((digest, i) => {
      const signed = manifest.digests[slices.firstSlice + i - manifest.firstSlice];
      return signed === undefined || signed.equals(digest);
    });
    const good = same && manifest.completeLength === completeLength && (await manifestFault(manifest)) === undefined;
    if (good) return encoded;
    // Whoever signed it did not give what it signed. It must not be held against this node.
    this.#others.drop(name);
    return undefined;
  }

  /** `bytes`: all of the body. Undefined when there is nothing to sign: no whole slice, or no validator that binds the bytes. */
  async sign(body: Described, bytes: readonly Buffer[]): Promise<Buffer | undefined> {
    const { key, fields, first, completeLength } = body;
    const etag = fields.get('etag') ?? '';
    const slices = etag.startsWith('"') ? await this.#slicesOf(body, bytes) : undefined;
    if (slices === undefined || slices.digests.length === 0) return undefined;
    const content = { key, etag, lastModified: fields.get('last-modified') ?? '', completeLength, ...slices };
    const name = nameOf(key, etag, first);
    const before = this.#own.get(name);
    // The same to every peer that asks: it is signed once.
    if (before !== undefined && sameContent(decodeManifest(before), content)) return before;
    const encoded = encodeManifest(await signManifest(content, this.#privateKey));
    this.#own.set(name, encoded);
    return encoded;
  }

  async #slicesOf({ first, completeLength }: Described, bytes: readonly Buffer[]) {
    if (bytes.length === 0 || bytes.reduce((sum, { length }) => sum + length, 0) > signedBytesMax) return undefined;
    return digestsOfSlices(bytes, { first, completeLength, kept: this.#digests });
  }
}

/** Encoded manifests by name, the oldest of which go first. */
class Kept {
  readonly #all = new Map<string, Buffer>();
  #bytes = 0;

  get(name: string): Buffer | undefined {
    return this.#all.get(name);
  }

  set(name: string, encoded: Buffer): void {
    this.drop(name);
    this.#all.set(name, encoded);
    this.#bytes += encoded.length;
    for (const oldest of this.#all.keys()) {
      if (this.#bytes <= bytesMax) return;
      this.drop(oldest);
    }
  }

  drop(name: string): void {
    this.#bytes -= this.#all.get(name)?.length ?? 0;
    this.#all.delete(name);
  }
}

/** One for each group of a representation: the last that came. */
function nameOf(key: string, etag: string, first: number): string {
  return `${Math.floor(first / windowBytes)} ${etag} ${key}`;
}
