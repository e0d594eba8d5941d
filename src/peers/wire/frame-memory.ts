import { dataBytesMax } from './frames.ts';

/** Free buffers that are kept for the next frames: a megabyte. */
const freeMax = 16;

/**
 * Memory for the bodies of data frames, used again as soon as whoever read a frame has given it back. What is not given
 * back is the collector's. Fresh buffers of 64 KB for each frame would cost more time in it than anything else here: they
 * lie outside its heap, and every 64 MB of them make it mark all of that.
 */
export class FrameMemory {
  readonly #free: ArrayBufferLike[] = [];
  readonly #lent = new WeakSet<ArrayBufferLike>();

  take(length: number): Buffer {
    if (length > dataBytesMax) return Buffer.allocUnsafeSlow(length);
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(dataBytesMax).buffer;
    this.#lent.add(memory);
    return Buffer.from(memory, 0, length);
  }

  /** Nobody reads these bytes any more. Bytes that were not taken here, or were given back already, are passed over. */
  giveBack({ buffer }: Buffer): void {
    if (this.#lent.delete(buffer) && this.#free.length < freeMax) this.#free.push(buffer);
  }
}
