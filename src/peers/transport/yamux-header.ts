import { PeerError } from '../failure.ts';

/** A frame of yamux without what follows it: https://github.com/hashicorp/yamux/blob/master/spec.md */
export interface YamuxHeader {
  readonly type: number;
  readonly flags: number;
  /** Of the stream; 0: of the session. */
  readonly id: number;
  /** Bytes that follow, in a data frame; bytes that may be sent more, in a window update; else what the type means by it. */
  readonly length: number;
}

export const yamuxHeaderBytes = 12;
export const yamuxTypes = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;
export const yamuxFlags = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
export const goAwayCodes = { normal: 0, protocolError: 1, internalError: 2 } as const;

export function encodeYamuxHeader({ type, flags, id, length }: YamuxHeader): Buffer {
  const header = Buffer.allocUnsafe(yamuxHeaderBytes);
  header.writeUInt16BE(type);
  header.writeUInt16BE(flags, 2);
  header.writeUInt32BE(id, 4);
  header.writeUInt32BE(length, 8);
  return header;
}

/** Throws PeerError for another version. */
export function decodeYamuxHeader(bytes: Buffer): YamuxHeader {
  if (bytes[0] !== 0) throw new PeerError('broken', `a yamux frame of version ${bytes[0]}, not 0`);
  const flags = bytes.readUInt16BE(2);
  return { type: bytes[1] ?? 0, flags, id: bytes.readUInt32BE(4), length: bytes.readUInt32BE(8) };
}
