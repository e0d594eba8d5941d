/**
 * Frees the memory of a chunk of an origin's body that its reader has copied. Node makes an ArrayBuffer for each read of
 * a connection, undici cuts head and chunks out of it, and the collector would find it a mark of the heap later.
 *
 * It is freed with the chunk at its end: what lies before that is the head, which is strings by then, and chunks of the
 * same body, which were read before. Whoever has a view of it all the same finds that empty (`length` 0, detached), and
 * never other bytes. Any other chunk is left to the collector.
 */
export function freeChunk({ buffer, byteOffset, length }: Buffer): void {
  // undici gives an empty chunk when it goes on after a pause: a view of a buffer that it keeps.
  if (length === 0 || byteOffset + length !== buffer.byteLength || !(buffer instanceof ArrayBuffer)) return;
  // A part of node's own pool of small buffers, which is others' too.
  if (byteOffset > 0 && buffer.byteLength === Buffer.poolSize) return;
  buffer.transfer(0);
}
