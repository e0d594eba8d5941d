import type { Server } from 'node:http';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { isKnownRelease } from '../libc.ts';

/** Takes what was read. The bytes are valid until it returns: who needs them longer copies them. */
export type TakeBytes = (buffer: Buffer, length: number) => void;

/** What node keeps in an accepted socket, as far as it is looked at here. */
interface Accepted {
  _handle?: { readonly useUserBuffer?: unknown } | null;
  _server?: Server | null;
}

/** Takes the bytes of a read from the shared buffer, into which node put them. */
type OnRead = (length: number) => boolean;

export interface OpenReads {
  readonly socket: Socket;
  readonly release: () => void;
}

const readBytesMax = 64 * 1024;

/**
 * Lets all connections of a server be read into one buffer. node allocates 64 KiB for each read of an accepted socket,
 * which costs more than all that a hit in RAM does with it. A socket that is made by hand may bring a buffer (`onread`),
 * but a server makes its sockets by itself: so its handle is moved to one of ours.
 * A socket over TLS stays what it is, and is told of the buffer where `onread` would have left it.
 */
export class SharedReads {
  readonly #buffer = Buffer.allocUnsafeSlow(readBytesMax);

  /**
   * The socket to use in place of `accepted`, or that itself where this cannot be done. Bytes go to `take` and not into
   * the stream, until `release` is called on what this returns: from then on the socket is one like any other.
   */
  open(accepted: Socket, take: TakeBytes): OpenReads {
    const { _handle: handle } = accepted as unknown as Accepted;
    const encrypted = 'encrypted' in accepted;
    if (!takesBuffer(handle) || (encrypted && !isReady(accepted))) return openPlain(accepted, take);
    const buffer = this.#buffer;
    let released = false;
    const onRead = (length: number): boolean => {
      if (released) return socket.push(Buffer.from(buffer.subarray(0, length)));
      take(buffer, length);
      return true;
    };
    const socket = encrypted ? readInto(accepted, buffer, onRead) : moved(accepted, buffer, onRead);
    const { allowHalfOpen } = socket;
    // What is under way is finished before the connection ends, which is for `take` to see to.
    socket.allowHalfOpen = true;
    const release = () => {
      released = true;
      socket.allowHalfOpen = allowHalfOpen;
    };
    return { socket, release };
  }
}

/** A new socket with the handle of one that a server made. */
function moved(accepted: Socket, buffer: Buffer, callback: OnRead): Socket {
  const { _handle: handle, _server: server } = accepted as unknown as Accepted;
  const socket = new Socket({ handle, allowHalfOpen: true, onread: { buffer, callback } } as SocketConstructorOpts);
  // The server counts its connections by this.
  (socket as unknown as Accepted)._server = server ?? null;
  Object.assign(accepted, { _handle: null, _server: null });
  return socket;
}

/** Where a socket has what `onread` brought, none of which it is told after it was made. */
const places = new Map(Object.getOwnPropertySymbols(new Socket()).map((symbol) => [symbol.description, symbol]));
const [bufferPlace, callbackPlace] = [places.get('kBuffer'), places.get('kBufferCb')];

function isReady(socket: Socket): boolean {
  if (!isKnownRelease || bufferPlace === undefined || callbackPlace === undefined) return false;
  // What was read before would have to come first.
  return bufferPlace in socket && callbackPlace in socket && socket.readableLength === 0;
}

function readInto(socket: Socket, buffer: Buffer, callback: OnRead): Socket {
  const { _handle: handle } = socket as unknown as { readonly _handle: { useUserBuffer(buffer: Buffer): void } };
  Object.assign(socket, { [bufferPlace as symbol]: buffer, [callbackPlace as symbol]: callback });
  handle.useUserBuffer(buffer);
  socket.read(0);
  return socket;
}

/** On Windows reads are under way while nobody waits for them, and could not share a buffer. */
function takesBuffer(handle: Accepted['_handle']): boolean {
  return process.platform !== 'win32' && typeof handle?.useUserBuffer === 'function';
}

function openPlain(socket: Socket, take: TakeBytes): OpenReads {
  const onData = (chunk: Buffer) => take(chunk, chunk.length);
  socket.on('data', onData);
  return { socket, release: () => socket.off('data', onData) };
}
