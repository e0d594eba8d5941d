import { Socket } from 'node:net';
import { isKnownRelease } from './libc.ts';

/** Takes the bytes of a read, which lie at the beginning of the buffer until it returns. */
export type OnRead = (length: number) => boolean;

/** What node keeps of a socket to read into, as far as it is looked at here. */
export type ReadHandle = { readonly useUserBuffer?: unknown } | null | undefined;

/** Where a socket has what `onread` brought, none of which it is told after it was made. */
const places = new Map(Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]));
const [bufferPlace, callbackPlace] = [places.get('kBuffer'), places.get('kBufferCb')];

/** Whether a socket that is made by hand may be read into a shared buffer. */
export function takesBuffer(handle: ReadHandle): boolean {
  // On Windows reads are under way while nobody waits for them, and could not share a buffer.
  return process.platform !== 'win32' && typeof handle?.useUserBuffer === 'function';
}

/**
 * Whether `readInto` may be called for a socket that somebody else made. What was read of it before would have to come
 * first: there must be nothing.
 */
export function canReadInto(socket: Socket): boolean {
  if (!isKnownRelease || bufferPlace === undefined || callbackPlace === undefined) return false;
  const { _handle: handle } = socket as unknown as { readonly _handle: ReadHandle };
  return takesBuffer(handle) && bufferPlace in socket && callbackPlace in socket && socket.readableLength === 0;
}

/** From now on bytes go into `buffer`, which sockets may share, and to `onRead`; not into the stream. */
export function readInto(socket: Socket, buffer: Buffer, onRead: OnRead): void {
  const { _handle: handle } = socket as unknown as { readonly _handle: { useUserBuffer(buffer: Buffer): void } };
  Object.assign(socket, { [bufferPlace as symbol]: buffer, [callbackPlace as symbol]: onRead });
  handle.useUserBuffer(buffer);
  socket.read(0);
}
