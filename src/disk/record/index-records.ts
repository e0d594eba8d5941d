import { crc32 } from 'node:zlib';
import { pieceBytes, type RepresentationId } from '../../cache/types.ts';
import { type PieceName, readSafeInteger, writeSafeInteger } from './piece-record.ts';

/*
 * Keys and small values of the index (format 1, frozen). Integers are big-endian, so byte order is number order.
 *
 *   key                                   value
 *   'e' cache key                         entry record, see entry-record.ts
 *   't' tag 0x00 cache key                empty
 *   'k' id(8)                             cache key: whose representation this is
 *   'p' id(8) first(8)                    generation(4) sequence(4) length(4): where the piece lies
 *   'r' generation(4) sequence(4)         id(8) first(8) length(4): what lies there
 *   's' generation(4) cache key           empty: the entry was saved while that generation was written
 *   'g' generation(4)                     bytes(8) sequence(4) pieces(4) CRC-32(4): see GenerationState
 *   'f' 'h' 'l' 'q' 'u'                   empty: fences, see below
 *
 * A wrong 'p' or 'r' does no harm: the piece's own record says what it is. Entry records carry their key and a CRC.
 */

/** Where a piece lies. */
export interface PiecePlace {
  readonly generation: number;
  readonly sequence: number;
}

export interface GenerationState {
  /** Bytes taken, records of pieces that nobody needs any more included. */
  readonly bytes: number;
  /** The next piece's sequence number. */
  readonly sequence: number;
  /** Pieces in it that the index still names. */
  readonly pieces: number;
}

export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

const letter = { entry: 0x65, tag: 0x74, owner: 0x6b, piece: 0x70, reverse: 0x72, saved: 0x73, generation: 0x67 };

/**
 * One live key behind each range that is scanned to its end: LevelDB's iterators know no upper bound, and would go
 * through everything that was deleted behind the range before they find out that it has ended.
 */
export const fences: readonly Buffer[] = [...'fhlqu'].map((each) => Buffer.from(each));

export const entryKey = (key: string): Buffer => join(letter.entry, Buffer.from(key));
export const tagKey = (tag: string, key: string): Buffer => join(letter.tag, Buffer.from(`${tag}\0${key}`));
export const ownerKey = (id: RepresentationId): Buffer => numbered(letter.owner, id);
export const generationKey = (generation: number): Buffer => numbered4(letter.generation, generation);

export function savedKey(generation: number, key: string): Buffer {
  return Buffer.concat([numbered4(letter.saved, generation), Buffer.from(key)]);
}

export function pieceKey(id: RepresentationId, first: number): Buffer {
  const key = Buffer.allocUnsafe(17);
  key.writeUInt8(letter.piece, 0);
  writeSafeInteger(key, id, 1);
  writeSafeInteger(key, first, 9);
  return key;
}

export function reverseKey(generation: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key.writeUInt8(letter.reverse, 0);
  key.writeUInt32BE(generation, 1);
  key.writeUInt32BE(sequence, 5);
  return key;
}

export const entryRange = (prefix: string): KeyRange => within(join(letter.entry, Buffer.from(prefix)));
export const tagRange = (tag: string): KeyRange => within(join(letter.tag, Buffer.from(`${tag}\0`)));
export const pieceRange = (id: RepresentationId): KeyRange => within(numbered(letter.piece, id));
export const reverseRange = (generation: number): KeyRange => within(numbered4(letter.reverse, generation));
export const savedRange = (generation: number): KeyRange => within(numbered4(letter.saved, generation));
export const generationRange: KeyRange = all(letter.generation);
/** Everything about entries. */
export const entryRanges: readonly KeyRange[] = [letter.entry, letter.tag, letter.owner, letter.saved].map(all);

/** The cache key behind an 'e' key. */
export const keyOfEntryKey = (key: Buffer): string => key.toString('utf8', 1);
/** The cache key behind an 's' key. */
export const keyOfSavedKey = (key: Buffer): string => key.toString('utf8', 5);
/** The cache key behind a 't' key; undefined when it is none. */
export function keyOfTagKey(key: Buffer): string | undefined {
  const end = key.indexOf(0, 1);
  return end === -1 ? undefined : key.toString('utf8', end + 1);
}

export function firstOfPieceKey(key: Buffer): number | undefined {
  return key.length === 17 ? readSafeInteger(key, 9) : undefined;
}
export function sequenceOfReverseKey(key: Buffer): number | undefined {
  return key.length === 9 ? key.readUInt32BE(5) : undefined;
}
export function numberOfGenerationKey(key: Buffer): number | undefined {
  return key.length === 5 ? key.readUInt32BE(1) : undefined;
}

export function encodePlace(place: PiecePlace, length: number): Buffer {
  const value = Buffer.allocUnsafe(12);
  value.writeUInt32BE(place.generation, 0);
  value.writeUInt32BE(place.sequence, 4);
  value.writeUInt32BE(length, 8);
  return value;
}

export function decodePlace(value: Buffer): (PiecePlace & { length: number }) | undefined {
  if (value.length !== 12) return undefined;
  const length = value.readUInt32BE(8);
  if (length === 0 || length > pieceBytes) return undefined;
  return { generation: value.readUInt32BE(0), sequence: value.readUInt32BE(4), length };
}

export function encodeReverse(piece: PieceName): Buffer {
  const value = Buffer.allocUnsafe(20);
  writeSafeInteger(value, piece.id, 0);
  writeSafeInteger(value, piece.first, 8);
  value.writeUInt32BE(piece.length, 16);
  return value;
}

export function decodeReverse(value: Buffer): PieceName | undefined {
  if (value.length !== 20) return undefined;
  const id = readSafeInteger(value, 0);
  const first = readSafeInteger(value, 8);
  const length = value.readUInt32BE(16);
  if (id === undefined || first === undefined || length === 0 || length > pieceBytes) return undefined;
  return { id, first, length };
}

export function encodeGenerationState(state: GenerationState): Buffer {
  const value = Buffer.allocUnsafe(20);
  writeSafeInteger(value, state.bytes, 0);
  value.writeUInt32BE(state.sequence, 8);
  value.writeUInt32BE(state.pieces, 12);
  value.writeUInt32BE(crc32(value.subarray(0, 16)), 16);
  return value;
}

export function decodeGenerationState(value: Buffer): GenerationState | undefined {
  if (value.length !== 20 || crc32(value.subarray(0, 16)) !== value.readUInt32BE(16)) return undefined;
  const bytes = readSafeInteger(value, 0);
  if (bytes === undefined) return undefined;
  return { bytes, sequence: value.readUInt32BE(8), pieces: value.readUInt32BE(12) };
}

function join(first: number, rest: Buffer): Buffer {
  return Buffer.concat([Buffer.of(first), rest]);
}

function numbered(first: number, id: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key.writeUInt8(first, 0);
  writeSafeInteger(key, id, 1);
  return key;
}

function numbered4(first: number, number: number): Buffer {
  const key = Buffer.allocUnsafe(5);
  key.writeUInt8(first, 0);
  key.writeUInt32BE(number, 1);
  return key;
}

function all(first: number): KeyRange {
  return { gte: Buffer.of(first), lt: Buffer.of(first + 1) };
}

/** All keys that begin with `prefix`. */
function within(prefix: Buffer): KeyRange {
  const lt = Buffer.from(prefix);
  for (let i = lt.length - 1; i >= 0; i--) {
    const byte = lt[i] ?? 0;
    if (byte < 0xff) {
      lt[i] = byte + 1;
      return { gte: prefix, lt: lt.subarray(0, i + 1) };
    }
  }
  throw new RangeError('a key range needs a prefix that does not end the key space');
}
