import { createHash, type Hash } from 'node:crypto';
import type { Fields } from '../../fields.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { parseContentRange } from '../../semantics/content-range.ts';
import { blake3 } from '../blake3.ts';
import { PeerError } from '../failure.ts';
import { type Manifest, sliceBytes } from './manifest.ts';

/** A body up to this long whose digest the origin gave is kept back until it is proven. */
const provenBytesMax = 4 * 1024 * 1024;

/**
 * Checks a body from a peer against what its head promises: the length; the digests of a manifest, slice by slice, where
 * somebody else signed one; and the origin's Repr-Digest (RFC 9530) where there is one and the body is the whole
 * representation. What is not proven yet is kept back: all of a body of moderate length, of a longer one the last frame, so
 * that a wrong body never looks complete.
 */
export class BodyCheck {
  readonly #length: number | undefined;
  readonly #digest: Buffer | undefined;
  readonly #hash: Hash | undefined;
  readonly #slices: SliceCheck | undefined;
  #received = 0;
  #kept: Buffer[] = [];

  constructor({ status, fields, manifest }: { status: number; fields: Fields; manifest?: Manifest | undefined }) {
    const range = status === 206 ? parseContentRange(fields.get('content-range')) : undefined;
    this.#length = range === undefined ? contentLengthOf(fields) : range.last - range.first + 1;
    this.#digest = status === 200 ? reprDigest(fields.get('repr-digest')) : undefined;
    this.#hash = this.#digest && createHash('sha256');
    this.#slices = manifest && new SliceCheck(manifest, range?.first ?? 0);
  }

  /** `digest`: BLAKE3 of the bytes, where it is known. What may be given now, which may be nothing yet. Throws PeerError. */
  push(bytes: Buffer, digest?: Buffer): Buffer | undefined {
    this.#received += bytes.length;
    if (this.#length !== undefined && this.#received > this.#length)
      throw new PeerError('corrupt', `more than the ${this.#length} bytes promised`);
    const proven = this.#slices === undefined ? bytes : this.#slices.push(bytes, digest);
    return proven && this.#proven(proven);
  }

  /** The rest, once everything proved right. Throws PeerError. */
  end(): Buffer | undefined {
    if (this.#length !== undefined && this.#received !== this.#length)
      throw new PeerError('broken', `${this.#received} bytes instead of ${this.#length}`);
    const last = this.#slices?.end();
    const before = last && this.#proven(last);
    if (this.#digest !== undefined && this.#hash?.digest().equals(this.#digest) === false)
      throw new PeerError('corrupt', "not the bytes of the origin's Repr-Digest");
    const rest = [before, ...this.#kept].filter((bytes) => bytes !== undefined);
    this.#kept = [];
    return rest.length === 0 ? undefined : Buffer.concat(rest);
  }

  #proven(bytes: Buffer): Buffer | undefined {
    if (this.#hash === undefined) return bytes;
    this.#hash.update(bytes);
    this.#kept.push(bytes);
    if ((this.#length ?? this.#received) <= provenBytesMax) return undefined;
    const given = this.#kept;
    this.#kept = given.splice(-1);
    return given.length === 0 ? undefined : Buffer.concat(given);
  }
}

/** Collects slices and lets each through when it is the one that was signed. Slices cut by a range cannot be checked. */
class SliceCheck {
  readonly #manifest: Manifest;
  #position: number;
  #chunks: Buffer[] = [];
  #length = 0;

  constructor(manifest: Manifest, first: number) {
    this.#manifest = manifest;
    this.#position = first;
  }

  push(bytes: Buffer, digest: Buffer | undefined): Buffer | undefined {
    // A frame that is a slice, as most are, was hashed when it came.
    if (this.#length === 0 && this.#position + bytes.length === this.#sliceEnd()) {
      const slice = this.#checked(bytes, digest);
      this.#position += bytes.length;
      return slice;
    }
    this.#chunks.push(bytes);
    this.#length += bytes.length;
    const proven: Buffer[] = [];
    for (let end = this.#sliceEnd(); this.#position + this.#length >= end; end = this.#sliceEnd()) {
      const all = Buffer.concat(this.#chunks);
      const slice = all.subarray(0, end - this.#position);
      proven.push(this.#checked(slice));
      this.#length -= slice.length;
      this.#chunks = this.#length === 0 ? [] : [all.subarray(slice.length)];
      this.#position = end;
      if (this.#length === 0) break;
    }
    return proven.length === 0 ? undefined : Buffer.concat(proven);
  }

  /** What is left belongs to a slice that the range cut. */
  end(): Buffer | undefined {
    return this.#length === 0 ? undefined : Buffer.concat(this.#chunks);
  }

  #sliceEnd(): number {
    const border = (Math.floor(this.#position / sliceBytes) + 1) * sliceBytes;
    return Math.min(border, Math.max(this.#manifest.completeLength, this.#position + 1));
  }

  #checked(slice: Buffer, known?: Buffer): Buffer {
    const index = Math.floor(this.#position / sliceBytes);
    const digest = this.#manifest.digests[index - this.#manifest.firstSlice];
    const whole = this.#position === index * sliceBytes;
    if (whole && digest !== undefined && !(known ?? blake3(slice)).equals(digest))
      throw new PeerError('corrupt', `not the bytes that ${this.#manifest.signer} signed at ${this.#position}`);
    return slice;
  }
}

/** The sha-256 member of a Repr-Digest (a dictionary of byte sequences, RFC 9530 section 3); undefined without one. */
function reprDigest(value: string | undefined): Buffer | undefined {
  const match = value === undefined ? null : /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(value);
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}
