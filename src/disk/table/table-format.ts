/*
 * LevelDB's tables, as far as it takes to find a value in one (LevelDB's doc/table_format.md). A table is blocks one
 * after the other, each followed by 5 bytes (compression, checksum): data, index of data, and a footer of 48 bytes that
 * says where the index is. A block is entries, then an array of restart points and its length:
 *
 *   varint shared, varint unshared, varint valueBytes, unshared bytes of the key, the value
 *
 * A key here is our own (4 bytes, a sequence number) and 8 bytes of LevelDB's. Those of an index are at or after the
 * last key of a block, and may be shortened. Compressed blocks are not read here.
 */

export interface BlockHandle {
  readonly offset: number;
  /** Without the bytes behind it. */
  readonly size: number;
}

/** The data blocks of a table in order: the last sequence number that each may hold, and where each begins. */
export interface DataBlocks {
  readonly lasts: Uint32Array;
  /** One more than there are blocks: the end of the last one, trailer included. */
  readonly offsets: Uint32Array;
}

export const footerBytes = 48;
export const blockTrailerBytes = 5;
/** The first byte behind a block that snappy has compressed; 0 behind one that is as it was. */
export const compressedMark = 1;
const magic = Buffer.from('57fb808b247547db', 'hex');
const sequenceBytes = 4;
const tagBytes = 8;
const valueTag = 1;
const keyBytesMax = 64;

interface Cursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
}

/** Where the index is; undefined for anything but the end of a whole table. */
export function decodeFooter(footer: Buffer): BlockHandle | undefined {
  if (footer.length !== footerBytes || !footer.subarray(footerBytes - magic.length).equals(magic)) return undefined;
  const cursor = { bytes: footer, at: 0, end: footerBytes - magic.length };
  decodeHandle(cursor);
  return decodeHandle(cursor);
}

/** The data blocks of a table that end at or before `end`; undefined for what is no such index. */
export function decodeIndex(block: Buffer, end: number): DataBlocks | undefined {
  const lasts: number[] = [];
  const offsets: number[] = [0];
  const sound = walk(block, (key, keyBytes, value) => {
    const handle = decodeHandle(value);
    const next = (handle?.offset ?? 0) + (handle?.size ?? 0) + blockTrailerBytes;
    // One behind the other, so that an offset tells the size of the block before.
    if (handle?.offset !== offsets.at(-1) || next > end) return 'broken';
    lasts.push(lastSequence(key, keyBytes - tagBytes));
    offsets.push(next);
    return 'on';
  });
  return sound ? { lasts: Uint32Array.from(lasts), offsets: Uint32Array.from(offsets) } : undefined;
}

/** The value of that sequence number, as a view of the data block; undefined when it is not there. */
export function recordIn(block: Buffer, sequence: number): Buffer | undefined {
  let record: Buffer | undefined;
  walk(block, (key, keyBytes, value) => {
    if (!isKeyOf(key, keyBytes, sequence)) return 'on';
    record = block.subarray(value.at, value.end);
    return 'enough';
  });
  return record;
}

/** The greatest sequence number in a data block; undefined when there is none. */
export function greatestSequence(block: Buffer): number | undefined {
  let greatest: number | undefined;
  walk(block, (key, keyBytes) => {
    if (keyBytes === sequenceBytes + tagBytes) greatest = key.readUInt32BE(0);
    return 'on';
  });
  return greatest;
}

/** The sequence number of the first key of a data block, of which this is the beginning. */
export function firstSequence(start: Buffer): number | undefined {
  const cursor = { bytes: start, at: 0, end: start.length };
  const [shared, unshared] = [varint(cursor), varint(cursor)];
  varint(cursor);
  if (shared !== 0 || unshared !== sequenceBytes + tagBytes || cursor.at + sequenceBytes > start.length)
    return undefined;
  return start.readUInt32BE(cursor.at);
}

function isKeyOf(key: Buffer, keyBytes: number, sequence: number): boolean {
  const isWhole = keyBytes === sequenceBytes + tagBytes && key[sequenceBytes] === valueTag;
  return isWhole && key.readUInt32BE(0) === sequence;
}

/** A shortened key is behind whatever begins with less than it, and before what begins with it. */
function lastSequence(key: Buffer, bytes: number): number {
  let number = 0;
  for (let i = 0; i < sequenceBytes; i++) number = number * 256 + (i < bytes ? (key[i] ?? 0) : 0);
  return bytes < sequenceBytes ? Math.max(0, number - 1) : number;
}

/** Visits the entries; `key` is overwritten by the next one. False when it is no block, or was found to be broken. */
function walk(
  block: Buffer,
  visit: (key: Buffer, keyBytes: number, value: Cursor) => 'on' | 'enough' | 'broken',
): boolean {
  if (block.length < 4) return false;
  const end = block.length - 4 - 4 * block.readUInt32LE(block.length - 4);
  if (end < 0) return false;
  const cursor = { bytes: block, at: 0, end };
  const key = Buffer.allocUnsafe(keyBytesMax);
  let keyBytes = 0;
  while (cursor.at < end) {
    const [shared, unshared, valueBytes] = [varint(cursor), varint(cursor), varint(cursor)];
    const valueAt = cursor.at + unshared;
    if (!(shared <= keyBytes && shared + unshared <= keyBytesMax && valueAt + valueBytes <= end)) return false;
    block.copy(key, shared, cursor.at, valueAt);
    keyBytes = shared + unshared;
    cursor.at = valueAt + valueBytes;
    const seen = visit(key, keyBytes, { bytes: block, at: valueAt, end: cursor.at });
    if (seen !== 'on') return seen === 'enough';
  }
  return true;
}

function decodeHandle(cursor: Cursor): BlockHandle | undefined {
  const [offset, size] = [varint(cursor), varint(cursor)];
  return Number.isSafeInteger(offset + size) ? { offset, size } : undefined;
}

/** NaN when it does not end, or is no safe integer. */
function varint(cursor: Cursor): number {
  let number = 0;
  for (let factor = 1; factor < 2 ** 50 && cursor.at < cursor.end; factor *= 128) {
    const byte = cursor.bytes[cursor.at++] ?? 0;
    number += (byte & 0x7f) * factor;
    if (byte < 0x80) return number;
  }
  return Number.NaN;
}
