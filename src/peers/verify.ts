import { createHash, type Hash } from 'node:crypto';
import type { Fields } from '../fields.ts';
import { PeerError } from './failure.ts';
import { contentRange } from './range.ts';

/**
 * Checks a body from a peer against what its head promises: the length, and the origin's Repr-Digest (RFC 9530) where
 * there is one and the body is the whole representation. The last bytes are kept back until the digest is right, so that
 * a wrong body never looks complete.
 */
export class BodyCheck {
  readonly #length: number | undefined;
  readonly #digest: Buffer | undefined;
  readonly #hash: Hash | undefined;
  #received = 0;
  #kept: Buffer | undefined;

  constructor(status: number, fields: Fields) {
    this.#length = promisedLength(status, fields);
    this.#digest = status === 200 ? reprDigest(fields.get('repr-digest')) : undefined;
    this.#hash = this.#digest && createHash('sha256');
  }

  get received(): number {
    return this.#received;
  }

  /** What may be given now, which may be nothing yet. Throws PeerError. */
  push(bytes: Buffer): Buffer | undefined {
    this.#received += bytes.length;
    if (this.#length !== undefined && this.#received > this.#length)
      throw new PeerError('corrupt', `more than the ${this.#length} bytes promised`);
    if (this.#hash === undefined) return bytes;
    this.#hash.update(bytes);
    const given = this.#kept;
    this.#kept = bytes;
    return given;
  }

  /** The rest, once everything proved right. Throws PeerError. */
  end(): Buffer | undefined {
    if (this.#length !== undefined && this.#received !== this.#length)
      throw new PeerError('broken', `${this.#received} bytes instead of ${this.#length}`);
    if (this.#digest !== undefined && this.#hash?.digest().equals(this.#digest) === false)
      throw new PeerError('corrupt', "not the bytes of the origin's Repr-Digest");
    const rest = this.#kept;
    this.#kept = undefined;
    return rest;
  }
}

/** The sha-256 member of a Repr-Digest (a dictionary of byte sequences, RFC 9530 section 3); undefined without one. */
export function reprDigest(value: string | undefined): Buffer | undefined {
  const match = value === undefined ? null : /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(value);
  return match?.[1] === undefined ? undefined : Buffer.from(match[1], 'base64');
}

function promisedLength(status: number, fields: Fields): number | undefined {
  const range = status === 206 ? contentRange(fields.get('content-range')) : undefined;
  if (range !== undefined) return range.last - range.first + 1;
  const length = fields.get('content-length');
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}
