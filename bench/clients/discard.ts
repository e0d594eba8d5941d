import type { Socket } from 'node:net';
import { openLibc } from '../../src/libc.ts';

const definitions = { recv: { return: 'i32', arguments: ['i32', 'pointer', 'u64', 'i32'] } } as const;
/** MSG_TRUNC, which on TCP takes bytes without copying them, and MSG_DONTWAIT. */
const flags = 0x20 | 0x40;

/** Takes bytes that came on a socket, and how many; 0 or less: there are none. */
export type Discard = (socket: Socket, bytesMax: number) => number;

/**
 * For clients that must cost little: reading costs as much as all that a server does that copies, and more than one that
 * does not. Undefined where it cannot be had.
 */
export function openDiscard(): Discard | undefined {
  const libc = openLibc(definitions);
  if (libc === undefined) return undefined;
  const { recv } = libc.call;
  return (socket, bytesMax) => recv(fdOf(socket), 0n, BigInt(bytesMax), flags);
}

const optionDefinitions = {
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
} as const;
/** SOL_SOCKET and SO_RCVBUF. */
const [socketLevel, receiveBuffer] = [1, 8];

/** Bounds the receive buffer of a connected socket, which else grows as it likes. Undefined where it cannot be had. */
export function openReceiveBound(): ((socket: Socket, bytes: number) => void) | undefined {
  const libc = openLibc(optionDefinitions);
  if (libc === undefined) return undefined;
  const value = new Int32Array(1);
  const address = libc.addressOf(value.buffer);
  return (socket, bytes) => {
    value[0] = bytes;
    libc.call.setsockopt(fdOf(socket), socketLevel, receiveBuffer, address, value.byteLength);
  };
}

function fdOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd ?? -1;
}
