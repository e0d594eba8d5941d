import type { Socket } from 'node:net';
import { viewerGone } from '../../errors.ts';
import { openLibc, pageBytes } from '../../libc.ts';
import { DirectWrites } from './direct-writes.ts';
import { fdOf } from './socket-fd.ts';
import { SocketRoom } from './socket-room.ts';

/** Memory that is in a file as well, so that the kernel can send it without a copy. */
export interface FileBacking {
  readonly fd: number;
  /** Where in the file these bytes are, as long as somebody holds the buffer; undefined: not in it. */
  offsetOf(bytes: Buffer): number | undefined;
}

/** The kernel's way from a file to a socket. */
export interface Sendfile {
  readonly backing: FileBacking;
  /** How many bytes the socket took; -1: none, or it failed. At most `bytesMax`. */
  send(socketFd: number, offset: number, bytesMax: number): number;
  /** Undefined: libuv waits for room. */
  readonly room: SocketRoom | undefined;
}

const definitions = { sendfile: { return: 'i32', arguments: ['i32', 'i32', 'pointer', 'u64'] } } as const;

/** Undefined where the system does not offer it. */
export function openSendfile(backing: FileBacking): Sendfile | undefined {
  const libc = openLibc(definitions);
  if (libc === undefined) return undefined;
  const { sendfile } = libc.call;
  const from = new BigInt64Array(new ArrayBuffer(8));
  const address = libc.addressOf(from.buffer);
  return {
    backing,
    room: SocketRoom.open(),
    send: (socketFd, offset, bytesMax) => {
      from[0] = BigInt(offset);
      return sendfile(socketFd, backing.fd, address, BigInt(bytesMax));
    },
  };
}

/** Written behind what the kernel took: it waits there for room, and says so or why it failed. */
const probeBytes = pageBytes;
/** sendfile hands over 16 pages at a time, and a part of one counts as much as a whole one. */
const handedOverBytes = 16 * pageBytes;

/**
 * Sends what is in a file past the socket's stream, and what comes between as DirectWrites does. One run at a time;
 * nothing else may be written meanwhile. Who writes sees to it that others get their turn.
 */
export class FileWrites {
  readonly #socket: Socket;
  readonly #sendfile: Sendfile;
  readonly #direct: DirectWrites;
  readonly #onTaken: () => void;
  /** The number under which the socket is waited for; -1: it was not yet. */
  #roomFd = -1;
  #waitsForRoom = false;
  /** Held until the kernel has all of them: as long as they are, their places in the file are theirs. */
  #parts: readonly Buffer[] = [];
  #next = 0;
  /** Bytes of the next part that are out. */
  #nextSent = 0;
  #bytesSent = 0;
  #done: PromiseWithResolvers<void> | undefined;

  /** Undefined where nothing can be written past the stream. `onTaken`: the kernel has all of what was written. */
  static to(socket: Socket, sendfile: Sendfile, onTaken: () => void): FileWrites | undefined {
    // TLS has to see every byte.
    if ('encrypted' in socket) return undefined;
    const direct = DirectWrites.to(socket, () => writes?.resume());
    const writes = direct && new FileWrites(socket, { sendfile, direct, onTaken });
    return writes;
  }

  private constructor(
    socket: Socket,
    { sendfile, direct, onTaken }: { sendfile: Sendfile; direct: DirectWrites; onTaken: () => void },
  ) {
    this.#socket = socket;
    this.#sendfile = sendfile;
    this.#direct = direct;
    this.#onTaken = onTaken;
  }

  /** Resolves when the kernel has what was written, rejects when the viewer is gone; undefined: nothing waits. */
  get done(): Promise<void> | undefined {
    return this.#done?.promise;
  }

  /** Bytes sent from the file, which the socket does not count. */
  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** False: nothing of it is in the file, or nothing can be written this way now. Destroys the socket where sending fails. */
  write(parts: readonly Buffer[]): boolean {
    const { backing } = this.#sendfile;
    if (this.#done !== undefined || !this.#direct.ready) return false;
    if (!parts.some((part) => backing.offsetOf(part) !== undefined)) return false;
    this.#parts = parts;
    this.#next = 0;
    this.#nextSent = 0;
    if (this.#goOn()) return true;
    this.#done = Promise.withResolvers();
    this.#socket.once('close', this.#onClose);
    return true;
  }

  /** There is room again. */
  resume(): void {
    if (this.#done === undefined || !this.#goOn()) return;
    this.#socket.off('close', this.#onClose);
    this.#done.resolve();
    this.#done = undefined;
    this.#onTaken();
  }

  /** Whether all is out. If not, there will be room again, or the socket closes. */
  #goOn(): boolean {
    while (this.#next < this.#parts.length) {
      this.#step();
      if (this.#waits || this.#socket.destroyed) return false;
    }
    this.#parts = [];
    return true;
  }

  #step(): void {
    const part = this.#parts[this.#next] as Buffer;
    const place = this.#sendfile.backing.offsetOf(part);
    if (place === undefined) return this.#copyLead(part);
    const wanted = this.#runBytes(place);
    const sent = this.#sendfile.send(fdOf(this.#socket), place + this.#nextSent, wanted);
    if (sent > 0) {
      this.#bytesSent += sent;
      this.#advance(sent);
    }
    // What took nothing may have failed: libuv finds that out.
    if (sent < wanted && !(sent > 0 && this.#waitForRoom())) this.#copy(probeBytes);
  }

  get #waits(): boolean {
    return this.#direct.pending || this.#waitsForRoom;
  }

  #waitForRoom(): boolean {
    const { room } = this.#sendfile;
    if (room === undefined) return false;
    if (this.#roomFd < 0) this.#roomFd = room.add(this.#socket);
    if (this.#roomFd < 0) return false;
    this.#waitsForRoom = true;
    room.wait(this.#roomFd, this.#onRoom);
    return true;
  }

  readonly #onRoom = (): void => {
    this.#waitsForRoom = false;
    this.resume();
  };

  /**
   * Writes a part that is not in the file, and what comes next up to the border of a page if the rest is then handed over
   * at once: otherwise less than a page would be a packet of its own. Longer content is slower that way.
   */
  #copyLead(part: Buffer): void {
    const next = this.#parts[this.#next + 1];
    const place = next && this.#sendfile.backing.offsetOf(next);
    if (next === undefined || place === undefined) return this.#copy(part.length);
    const leadBytes = pageBytes - (place % pageBytes);
    if (next.length - leadBytes > handedOverBytes) return this.#copy(part.length);
    const lead = next.subarray(0, leadBytes);
    if (this.#direct.write([part, lead])) this.#advance(part.length + lead.length);
    else this.#socket.destroy();
  }

  /** From the next byte on, as far as it is one run in the file. */
  #runBytes(place: number): number {
    const { backing } = this.#sendfile;
    let end = place + (this.#parts[this.#next] as Buffer).length;
    for (let i = this.#next + 1; i < this.#parts.length; i++) {
      const part = this.#parts[i] as Buffer;
      if (backing.offsetOf(part) !== end) break;
      end += part.length;
    }
    return end - place - this.#nextSent;
  }

  /** Writes at most so many bytes of the next part. */
  #copy(bytesMax: number): void {
    const bytes = (this.#parts[this.#next] as Buffer).subarray(this.#nextSent, this.#nextSent + bytesMax);
    if (this.#direct.write([bytes])) this.#advance(bytes.length);
    else this.#socket.destroy();
  }

  #advance(bytes: number): void {
    let rest = bytes + this.#nextSent;
    for (let part = this.#parts[this.#next]; part !== undefined && rest >= part.length; ) {
      rest -= part.length;
      this.#next += 1;
      part = this.#parts[this.#next];
    }
    this.#nextSent = rest;
  }

  readonly #onClose = (): void => {
    this.#parts = [];
    if (this.#waitsForRoom) this.#sendfile.room?.forget(this.#roomFd, this.#onRoom);
    this.#done?.reject(viewerGone());
    this.#done = undefined;
  };
}
