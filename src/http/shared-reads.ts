import type { Server } from 'node:http';
import { Socket, type SocketConstructorOpts } from 'node:net';

/** Takes what was read. The bytes are valid until it returns: who needs them longer copies them. */
export type TakeBytes = (buffer: Buffer, length: number) => void;

/** What node keeps in an accepted socket, as far as it is looked at here. */
interface Accepted {
  _handle?: { readonly useUserBuffer?: unknown } | null;
  _server?: Server | null;
}

const readBytesMax = 64 * 1024;

/**
 * Lets all connections of a server be read into one buffer. node allocates 64 KiB for each read of an accepted socket,
 * which costs more than all that a hit in RAM does with it. A socket that is made by hand may bring a buffer (`onread`),
 * but a server makes its sockets by itself: so its handle is moved to one of ours.
 */
export class SharedReads {
  readonly #buffer = Buffer.allocUnsafeSlow(readBytesMax);

  /**
   * The socket to use in place of `accepted`, or that itself where this cannot be done. Bytes go to `take` and not into
   * the stream, until `release` is called on what this returns: from then on the socket is one like any other.
   */
  open(accepted: Socket, take: TakeBytes): { readonly socket: Socket; readonly release: () => void } {
    const { _handle: handle, _server: server } = accepted as unknown as Accepted;
    if ('encrypted' in accepted || !isMovable(handle)) return openPlain(accepted, take);
    const buffer = this.#buffer;
    let released = false;
    const callback = (length: number): boolean => {
      if (released) return socket.push(Buffer.from(buffer.subarray(0, length)));
      take(buffer, length);
      return true;
    };
    const options = { handle, allowHalfOpen: true, onread: { buffer, callback } };
    const socket = new Socket(options as SocketConstructorOpts);
    // The server counts its connections by this.
    (socket as unknown as Accepted)._server = server ?? null;
    Object.assign(accepted, { _handle: null, _server: null });
    const release = () => {
      released = true;
    };
    return { socket, release };
  }
}

/** On Windows reads are under way while nobody waits for them, and could not share a buffer. */
function isMovable(handle: Accepted['_handle']): boolean {
  return process.platform !== 'win32' && typeof handle?.useUserBuffer === 'function';
}

function openPlain(socket: Socket, take: TakeBytes): { readonly socket: Socket; readonly release: () => void } {
  const onData = (chunk: Buffer) => take(chunk, chunk.length);
  socket.on('data', onData);
  return { socket, release: () => socket.off('data', onData) };
}
