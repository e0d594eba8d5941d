import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { Fields } from '../../fields.ts';
import { areFieldLines } from '../../semantics/field-lines.ts';
import { manifestBytesMax } from '../manifest.ts';

/** What the mirror needs of the cell: who follows what, and a way to say what is new. */
export interface CellVoice {
  /** The peer id of the member that asks the origin for that key; `self` for this node. */
  ownerOf(key: string): string;
  /** Tells all members; false when it was not sent. Throws RangeError beyond 16 KiB. */
  announce(message: Uint8Array): boolean;
}

/** What the owner of a playlist tells the other members of a cell. */
interface Announcement {
  readonly key: string;
  /** Of the playlist, as `Manifest.version`. */
  readonly version: string;
  /** As the origin gave it; undefined: the version is current, or too large to be told. */
  readonly playlist?: { readonly bytes: Buffer; readonly fields: Fields };
  /** When the owner learnt of the version, epoch milliseconds by its clock. */
  readonly atMs?: number;
}

/** The most that goes into one message. */
const messageBytesMax = 16 * 1024;
const headBytesMax = 12 * 1024;

/** Up to here a playlist is told as it is: to deflate it, and inflate it at each member, takes longer than to send it. */
const storedBytesMax = 4 * 1024;
/** A deflate stream of one stored block: its last, its length, and that with each bit turned (RFC 1951 section 3.2.4). */
const storedHeadBytes = 5;

/** A length in four bytes, a head in JSON, and the playlist deflated. Undefined where even the head is too large. */
export function encodeAnnouncement({ key, version, playlist, atMs }: Announcement): Buffer | undefined {
  const body = playlist && deflated(playlist.bytes);
  const whole = messageOf({ key, version, fields: playlist?.fields.raw, atMs }, body);
  if (whole.length <= messageBytesMax) return whole;
  const notice = messageOf({ key, version }, undefined);
  return notice.length <= messageBytesMax ? notice : undefined;
}

/** Undefined for what is no announcement. */
export function decodeAnnouncement(message: Buffer): Announcement | undefined {
  const length = message.length < 4 ? 0 : message.readUInt32BE(0);
  if (length === 0 || length > headBytesMax || message.length < 4 + length) return undefined;
  try {
    const head: unknown = JSON.parse(message.toString('utf8', 4, 4 + length));
    if (!isHead(head)) return undefined;
    const { key, version, fields, atMs } = head;
    if (fields === undefined) return { key, version };
    const bytes = inflated(message.subarray(4 + length));
    return { key, version, playlist: { bytes, fields: new Fields(fields) }, ...(atMs !== undefined && { atMs }) };
  } catch {
    return undefined;
  }
}

function deflated(bytes: Buffer): Buffer {
  if (bytes.length > storedBytesMax) return deflateRawSync(bytes, { level: 1 });
  const head = Buffer.from([1, 0, 0, 0, 0]);
  head.writeUInt16LE(bytes.length, 1);
  head.writeUInt16LE(0xffff - bytes.length, 3);
  return Buffer.concat([head, bytes]);
}

/** Throws for what is no deflate stream. */
function inflated(body: Buffer): Buffer {
  const bytes = body.subarray(storedHeadBytes);
  const isStored =
    body[0] === 1 && bytes.length === body.readUInt16LE(1) && bytes.length === 0xffff - body.readUInt16LE(3);
  return isStored ? bytes : inflateRawSync(body, { maxOutputLength: manifestBytesMax });
}

interface Head {
  readonly key: string;
  readonly version: string;
  readonly fields?: readonly string[] | undefined;
  readonly atMs?: number | undefined;
}

function messageOf(head: Head, body: Buffer | undefined): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat(body === undefined ? [length, text] : [length, text, body]);
}

function isHead(value: unknown): value is Head {
  if (typeof value !== 'object' || value === null) return false;
  const { key, version, fields, atMs } = value as Record<string, unknown>;
  const texts = typeof key === 'string' && typeof version === 'string';
  if (atMs !== undefined && !Number.isFinite(atMs)) return false;
  const lines = Array.isArray(fields) && fields.every((each) => typeof each === 'string') && areFieldLines(fields);
  return texts && (fields === undefined || lines);
}
