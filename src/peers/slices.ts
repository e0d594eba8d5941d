import type { KeptDigests } from './kept-digests.ts';
import { sliceBytes } from './manifest.ts';

/**
 * Digests of the aligned slices that lie whole in a body. Only of slices that come in one buffer whose memory is never
 * written to again, so that each is hashed once however often it is given; `whole` is false when others were among them.
 */
export class SliceDigests {
  /** Index of the slice of the first digest. */
  readonly firstSlice: number;
  readonly digests: Buffer[] = [];
  whole = true;
  readonly #completeLength: number;
  readonly #kept: KeptDigests;
  #position: number;

  /** `first`: where the body starts in its representation. */
  constructor(first: number, { completeLength, kept }: { completeLength: number; kept: KeptDigests }) {
    this.firstSlice = Math.ceil(first / sliceBytes);
    this.#completeLength = completeLength;
    this.#kept = kept;
    this.#position = first;
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.whole; ) {
      const begin = Math.floor(this.#position / sliceBytes) * sliceBytes;
      const end = Math.min(begin + sliceBytes, this.#completeLength);
      const part = bytes.subarray(at, at + end - this.#position);
      if (part.length === 0) return;
      // What a range cuts off a slice at its beginning is no part of what is signed.
      const counts = begin >= this.firstSlice * sliceBytes;
      if (counts && part.length === end - begin) this.digests.push(this.#kept.of(part));
      else if (counts) this.whole = false;
      this.#position += part.length;
      at += part.length;
    }
  }
}
