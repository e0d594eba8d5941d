import { crc32 } from 'node:zlib';
import { pieceBytes, type RepresentationId } from '../../cache/types.ts';
import { openGmac } from './gmac.ts';

/*
 * A piece as it lies in a generation (format 2, frozen: another layout takes another version byte):
 *
 *   offset  size  meaning (integers big-endian)
 *   0       1     0xED
 *   1       1     format version, 2
 *   2       2     0
 *   4       4     length of the bytes
 *   8       16    digest of offset 24 to the end
 *   24      8     representation id
 *   32      8     first byte's offset in the representation
 *   40      …     the bytes
 *
 * The digest is GMAC: the tag that AES-128-GCM gives those bytes as additional data, with the key below and a nonce of
 * zeros (NIST SP 800-38D). The key is no secret, and the enemy is no person but a flipped bit, a lost write or a block
 * that lands in the wrong place: whoever can write to the store could as well rewrite a digest. It is used because it
 * finds any such change but one in 2^100 at 17 GB/s, where CRC-32 does 4.5 and SHA-256 1.7.
 *
 * Format 1, still read: 28 bytes before the bytes, id at 8, first at 16, CRC-32 of offsets 0..23 and the bytes at 24.
 */

export const pieceHeaderBytes = 40;
const magic = 0xed;
const version = 2;
const digestAt = 8;
const digestBytes = 16;
const digestedFrom = digestAt + digestBytes;
const digestOf = openGmac({ key: Buffer.from('eddy piece, v. 2', 'latin1'), nonce: Buffer.alloc(12) });

const headerBytesV1 = 28;
const digestAtV1 = 24;

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
  const end = offset + pieceHeaderBytes + bytes.length;
  target.writeUInt32BE(start(version), offset);
  target.writeUInt32BE(bytes.length, offset + 4);
  writeSafeInteger(target, id, offset + digestedFrom);
  writeSafeInteger(target, first, offset + digestedFrom + 8);
  bytes.copy(target, offset + pieceHeaderBytes);
  digestOf(target.subarray(offset + digestedFrom, end)).copy(target, offset + digestAt);
  return pieceHeaderBytes + bytes.length;
}

/** The bytes of that piece as a view of `record`; undefined for anything but an intact record of exactly that piece. */
export function decodePiece(record: Buffer, expected: PieceName): Buffer | undefined {
  if (expected.length > pieceBytes || record.length < headerBytesV1) return undefined;
  if (record.readUInt32BE(4) !== expected.length) return undefined;
  const began = record.readUInt32BE(0);
  if (began === start(1)) return decodeV1(record, expected);
  if (began !== start(version) || record.length !== pieceHeaderBytes + expected.length) return undefined;
  if (!isNamed(record, digestedFrom, expected)) return undefined;
  const digest = digestOf(record.subarray(digestedFrom));
  return digest.equals(record.subarray(digestAt, digestedFrom)) ? record.subarray(pieceHeaderBytes) : undefined;
}

function decodeV1(record: Buffer, expected: PieceName): Buffer | undefined {
  if (record.length !== headerBytesV1 + expected.length || !isNamed(record, 8, expected)) return undefined;
  const bytes = record.subarray(headerBytesV1);
  const digest = crc32(bytes, crc32(record.subarray(0, digestAtV1)));
  return digest === record.readUInt32BE(digestAtV1) ? bytes : undefined;
}

/** What the first four bytes of a record say. */
function start(ofVersion: number): number {
  return ((magic << 24) | (ofVersion << 16)) >>> 0;
}

function isNamed(record: Buffer, offset: number, { id, first }: PieceName): boolean {
  return readSafeInteger(record, offset) === id && readSafeInteger(record, offset + 8) === first;
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
