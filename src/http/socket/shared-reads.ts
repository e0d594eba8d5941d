import type { Server } from 'node:http';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { canReadInto, type OnRead, type ReadHandle, readInto, takesBuffer } from '../../socket-reads.ts';

/** Takes what was read. The bytes are valid until it returns: who needs them longer copies them. */
type TakeBytes = (buffer: Buffer, length: number) => void;

/** What node keeps in an accepted socket, as far as it is looked at here. */
interface Accepted {
  _handle?: ReadHandle;
  _server?: Server | null;
}

interface OpenReads {
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
    if (encrypted ? !canReadInto(accepted) : !takesBuffer(handle)) return openPlain(accepted, take);
    const buffer = this.#buffer;
    let released = false;
    const onRead = (length: number): boolean => {
      if (released) return socket.push(Buffer.from(buffer.subarray(0, length)));
      take(buffer, length);
      return true;
    };
    const socket = encrypted ? accepted : moved(accepted, buffer, onRead);
    if (encrypted) readInto(socket, buffer, onRead);
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

function openPlain(socket: Socket, take: TakeBytes): OpenReads {
  const onData = (chunk: Buffer) => take(chunk, chunk.length);
  socket.on('data', onData);
  return { socket, release: () => socket.off('data', onData) };
}
