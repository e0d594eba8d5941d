import { hash } from 'node:crypto';

/** SHA-256 of bytes whose memory is never written to again, remembered for as long as that memory is in use. */
export class KeptDigests {
  readonly #digests = new WeakMap<ArrayBufferLike, Map<string, Buffer>>();

  of(bytes: Buffer): Buffer {
    const within = this.#digests.get(bytes.buffer) ?? new Map<string, Buffer>();
    const place = `${bytes.byteOffset} ${bytes.length}`;
    const known = within.get(place);
    if (known !== undefined) return known;
    const digest = hash('sha256', bytes, 'buffer');
    this.#digests.set(bytes.buffer, within.set(place, digest));
    return digest;
  }
}
