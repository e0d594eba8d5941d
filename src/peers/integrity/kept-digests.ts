import { blake3 } from '../blake3.ts';

/**
 * BLAKE3 of bytes whose memory is never written to again while a Buffer refers to it, remembered for as long as that
 * memory is in use. Memory that is used anew for other bytes must come as another ArrayBuffer: a tier that reuses slots of
 * one arena, or pools what it reads into, has to say so by `buffersAreKept: false`, or digests of old bytes would be sent
 * with new ones.
 */
export class KeptDigests {
  readonly #digests = new WeakMap<ArrayBufferLike, Map<string, Buffer>>();

  has(bytes: Buffer): boolean {
    return this.#digests.get(bytes.buffer)?.has(placeOf(bytes)) === true;
  }

  of(bytes: Buffer): Buffer {
    const within = this.#digests.getOrInsertComputed(bytes.buffer, () => new Map());
    return within.getOrInsertComputed(placeOf(bytes), () => blake3(bytes));
  }
}

function placeOf({ byteOffset, length }: Buffer): string {
  return `${byteOffset} ${length}`;
}
