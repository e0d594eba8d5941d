import { crc32 } from 'node:zlib';
import { pieceBytes, type RepresentationId } from '../cache/types.ts';

/*
 * A piece as it lies in a generation (format 1, frozen: another layout takes another version byte):
 *
 *   offset  size  meaning (integers big-endian)
 *   0       1     0xED
 *   1       1     format version, 1
 *   2       2     0
 *   4       4     length of the bytes
 *   8       8     representation id
 *   16      8     first byte's offset in the representation
 *   24      4     CRC-32 of offsets 0..23 and the bytes
 *   28      …     the bytes
 *
 * CRC-32 and not SHA-256: the enemy is a flipped bit, a lost write or a block that lands in the wrong place, not
 * someone who can write to the store (who could as well rewrite a digest). It finds all burst errors up to 32 bits and
 * misses one in four billion of the rest, at 6 GB/s against 2; id, offset and length are compared on their own.
 */

export const pieceHeaderBytes = 28;
const magic = 0xed;
const version = 1;

export interface PieceName {
  readonly id: RepresentationId;
  readonly first: number;
  readonly length: number;
}

/** Writes the record of a piece to `target` at `offset`; returns how many bytes it takes. */
export function encodePiece(
  piece: { id: RepresentationId; first: number; bytes: Buffer },
  target: Buffer,
  offset: number,
): number {
  const { id, first, bytes } = piece;
  target.writeUInt8(magic, offset);
  target.writeUInt8(version, offset + 1);
  target.writeUInt16BE(0, offset + 2);
  target.writeUInt32BE(bytes.length, offset + 4);
  writeSafeInteger(target, id, offset + 8);
  writeSafeInteger(target, first, offset + 16);
  target.writeUInt32BE(crc32(bytes, crc32(target.subarray(offset, offset + 24))), offset + 24);
  bytes.copy(target, offset + pieceHeaderBytes);
  return pieceHeaderBytes + bytes.length;
}

/** The bytes of that piece as a view of `record`; undefined for anything but an intact record of exactly that piece. */
export function decodePiece(record: Buffer, expected: PieceName): Buffer | undefined {
  if (record.length !== pieceHeaderBytes + expected.length || expected.length > pieceBytes) return undefined;
  if (record.readUInt32BE(0) !== ((magic << 24) | (version << 16)) >>> 0) return undefined;
  if (record.readUInt32BE(4) !== expected.length) return undefined;
  if (readSafeInteger(record, 8) !== expected.id || readSafeInteger(record, 16) !== expected.first) return undefined;
  const bytes = record.subarray(pieceHeaderBytes);
  return crc32(bytes, crc32(record.subarray(0, 24))) === record.readUInt32BE(24) ? bytes : undefined;
}

/** Eight bytes, big-endian. */
export function writeSafeInteger(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), offset);
  target.writeUInt32BE(value % 2 ** 32, offset + 4);
}

/** Undefined when the eight bytes are no safe integer. */
export function readSafeInteger(source: Buffer, offset: number): number | undefined {
  const value = source.readUInt32BE(offset) * 2 ** 32 + source.readUInt32BE(offset + 4);
  return Number.isSafeInteger(value) ? value : undefined;
}
