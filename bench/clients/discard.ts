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
  return (socket, bytesMax) => {
    const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
    return recv(handle?.fd ?? -1, 0n, BigInt(bytesMax), flags);
  };
}
