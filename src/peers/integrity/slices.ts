import { setImmediate as turn } from 'node:timers/promises';
import type { KeptDigests } from './kept-digests.ts';
import { sliceBytes } from './manifest.ts';

/** A seventh of a millisecond. */
const hashedInTurn = 8;

interface SliceDigests {
  /** Index of the slice of the first digest. */
  readonly firstSlice: number;
  readonly digests: readonly Buffer[];
}

/**
 * Digests of the aligned slices that lie whole in a body of which `buffers` are all bytes and `first` is the place in its
 * representation. Only where each slice lies in one buffer, whose memory is never written to again, so that it is hashed
 * once however often it is given, mostly as a frame before; else undefined. Now and then it gives way to others.
 */
export async function digestsOfSlices(
  buffers: readonly Buffer[],
  { first, completeLength, kept }: { first: number; completeLength: number; kept: KeptDigests },
): Promise<SliceDigests | undefined> {
  const firstSlice = Math.ceil(first / sliceBytes);
  const digests: Buffer[] = [];
  let hashed = 0;
  let position = first;
  for (const bytes of buffers)
    for (let at = 0; at < bytes.length; ) {
      const begin = Math.floor(position / sliceBytes) * sliceBytes;
      const end = Math.min(begin + sliceBytes, completeLength);
      const part = bytes.subarray(at, at + end - position);
      if (part.length === 0) return { firstSlice, digests };
      position += part.length;
      at += part.length;
      // What a range cuts off a slice at its beginning is no part of what is signed.
      if (begin < firstSlice * sliceBytes) continue;
      if (part.length !== end - begin) return undefined;
      if (!kept.has(part) && ++hashed % hashedInTurn === 0) await turn();
      digests.push(kept.of(part));
    }
  return { firstSlice, digests };
}
