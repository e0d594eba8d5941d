import { PeerError } from '../failure.ts';
import type { FrameMemory } from './frame-memory.ts';

/** First byte of every frame. Another one ends the stream. */
const wireVersion = 2;

/** Frames of the control stream below 32, of the bulk stream from there on. Numbers never change their meaning. */
export const frameTypes = {
  hello: 1,
  members: 2,
  ping: 3,
  pong: 4,
  request: 5,
  status: 6,
  credit: 7,
  cancel: 8,
  waiting: 9,
  digest: 10,
  digestChanges: 11,
  announcement: 12,
  credential: 13,
  leaving: 14,
  probe: 15,
  probed: 16,
  data: 32,
  end: 33,
  fail: 34,
  manifest: 35,
} as const;

export type FrameName = keyof typeof frameTypes;

/** version u8, type u8, reserved u16 = 0, length of the payload u32; big-endian like everything. */
export const headerBytes = 8;
/** Request id u32, position in the body u64, BLAKE3 of the bytes that follow. */
const dataPrefixBytes = 4 + 8 + 32;
/** Body bytes of one data frame. */
export const dataBytesMax = 64 * 1024;
/** Bytes of one body that may be under way or unread; more is allowed as they are read. */
export const creditBytes = 2 * 1024 * 1024;
const payloadBytesMax = 64 * 1024 + dataPrefixBytes;

const names: ReadonlyMap<number, FrameName> = new Map(
  (Object.keys(frameTypes) as FrameName[]).map((name) => [frameTypes[name], name]),
);

/** One frame. `prefix` holds the fixed part of a data frame and is empty otherwise; `payload` is all after it. */
export interface Frame {
  readonly name: FrameName;
  readonly prefix: Buffer;
  readonly payload: Buffer;
}

const empty = Buffer.alloc(0);

/** The header for a payload of that length. */
function frameHeader(name: FrameName, payloadLength: number): Buffer {
  const header = Buffer.allocUnsafe(headerBytes);
  writeHeader(header, name, payloadLength);
  return header;
}

export function encodeFrame(name: FrameName, payload: Buffer): Buffer {
  if (payload.length > payloadBytesMax) throw tooLong(name, payload.length);
  return Buffer.concat([frameHeader(name, payload.length), payload]);
}

/** Header and prefix of a data frame; `length` bytes follow whose BLAKE3 is `digest`. */
export function dataFrameHead(
  id: number,
  position: number,
  { digest, length }: { digest: Buffer; length: number },
): Buffer {
  const head = Buffer.allocUnsafe(headerBytes + dataPrefixBytes);
  writeHeader(head, 'data', dataPrefixBytes + length);
  head.writeUInt32BE(id, headerBytes);
  writeOffset(head, position, headerBytes + 4);
  digest.copy(head, headerBytes + 12);
  return head;
}

export function readDataPrefix(prefix: Buffer): { id: number; position: number; digest: Buffer } {
  return { id: prefix.readUInt32BE(0), position: readOffset(prefix, 4), digest: prefix.subarray(12, 44) };
}

/** A payload that begins with the request id it is about. */
export function withId(id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(id);
  return Buffer.concat([head, payload]);
}

/** Offsets are 64 bits on the wire and safe integers here. */
export function writeOffset(into: Buffer, offset: number, at: number): void {
  into.writeUInt32BE(Math.floor(offset / 0x1_0000_0000), at);
  into.writeUInt32BE(offset >>> 0, at + 4);
}

export function readOffset(from: Buffer, at: number): number {
  return from.readUInt32BE(at) * 0x1_0000_0000 + from.readUInt32BE(at + 4);
}

/** Cuts a stream of bytes into frames. Keeps at most one frame; throws PeerError for what cannot be one. */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #memory: Pick<FrameMemory, 'take'> | undefined;
  readonly #header = Buffer.alloc(headerBytes);
  #headerLength = 0;
  #name: FrameName | undefined;
  #prefix = empty;
  #prefixLength = 0;
  #payload: Buffer = empty;
  #payloadLength = 0;
  #missing = 0;

  /** `memory`: for the payload of data frames. */
  constructor(onFrame: (frame: Frame) => void, memory?: Pick<FrameMemory, 'take'>) {
    this.#onFrame = onFrame;
    this.#memory = memory;
  }

  /** Nothing refers to `bytes` afterwards. */
  push(bytes: Uint8Array): void {
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerLength < headerBytes) {
        at = this.#takeHeader(chunk, at);
        if (this.#headerLength < headerBytes || this.#missing + this.#prefix.length > 0) continue;
      } else if (this.#prefixLength < this.#prefix.length) {
        const count = chunk.copy(this.#prefix, this.#prefixLength, at);
        this.#prefixLength += count;
        at += count;
      } else {
        const count = Math.min(this.#missing, chunk.length - at);
        if (this.#name !== undefined)
          this.#payloadLength += chunk.copy(this.#payload, this.#payloadLength, at, at + count);
        this.#missing -= count;
        at += count;
      }
      if (this.#missing === 0 && this.#prefixLength === this.#prefix.length) this.#finish();
    }
  }

  #takeHeader(chunk: Buffer, at: number): number {
    const count = chunk.copy(this.#header, this.#headerLength, at);
    this.#headerLength += count;
    if (this.#headerLength < headerBytes) return at + count;
    const version = this.#header[0];
    if (version !== wireVersion) throw new PeerError('broken', `a frame of version ${version}, not ${wireVersion}`);
    // An unknown type is read over, so that later versions may add some.
    this.#name = names.get(this.#header[1] ?? 0);
    const length = this.#header.readUInt32BE(4);
    if (length > payloadBytesMax) throw tooLong(this.#name ?? 'unknown', length);
    const prefixLength = this.#name === 'data' ? dataPrefixBytes : 0;
    if (length < prefixLength) throw new PeerError('broken', `a data frame of ${length} bytes`);
    this.#prefix = prefixLength === 0 ? empty : Buffer.allocUnsafe(prefixLength);
    this.#prefixLength = 0;
    this.#missing = length - prefixLength;
    this.#payloadLength = 0;
    if (this.#name !== undefined)
      this.#payload = (prefixLength > 0 && this.#memory?.take(this.#missing)) || Buffer.allocUnsafe(this.#missing);
    return at + count;
  }

  #finish(): void {
    const [name, prefix, payload] = [this.#name, this.#prefix, this.#payload];
    this.#headerLength = 0;
    this.#payload = empty;
    this.#prefix = empty;
    this.#prefixLength = 0;
    if (name !== undefined) this.#onFrame({ name, prefix, payload });
  }
}

function writeHeader(into: Buffer, name: FrameName, payloadLength: number): void {
  into[0] = wireVersion;
  into[1] = frameTypes[name];
  into.writeUInt16BE(0, 2);
  into.writeUInt32BE(payloadLength, 4);
}

function tooLong(name: string, length: number): PeerError {
  return new PeerError('broken', `a ${name} frame of ${length} bytes; at most ${payloadBytesMax} are right`);
}
