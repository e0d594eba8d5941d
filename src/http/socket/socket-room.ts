import { closeSync } from 'node:fs';
import { type Libc, openLibc } from '../../libc.ts';

const definitions = {
  epoll_create1: { return: 'i32', arguments: ['i32'] },
  epoll_ctl: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer'] },
  epoll_wait: { return: 'i32', arguments: ['i32', 'pointer', 'i32', 'i32'] },
} as const;

const closeOnExec = 0x80000;
const ctlAdd = 1;
/** EPOLLOUT and EPOLLET: once each time there is room again. Errors are told of as well. */
const roomAgain = 0x4 | 0x80000000;
/** `struct epoll_event` in words of 32 bits, which x64 packs; the last two are its data, of which the lower one is used. */
const eventWords = process.arch === 'x64' ? 3 : 4;
const dataWord = eventWords - 2;
/** At one look. */
const eventsMax = 4096;
const lookMs = 5;

/**
 * Tells when sockets have room again, all of them at one look each few milliseconds. libuv tells it by a write that waits,
 * which is five system calls each time; so it costs less this way, and a viewer gets its share of room at most 200 times
 * a second.
 */
export class SocketRoom {
  readonly #libc: Libc<typeof definitions>;
  #fd: number;
  readonly #found = new Uint32Array(eventsMax * eventWords);
  readonly #foundAddress: bigint;
  readonly #added = new Uint32Array(eventWords);
  readonly #addedAddress: bigint;
  /** By the socket's number. */
  readonly #waiting = new Map<number, () => void>();
  #timer: NodeJS.Timeout | undefined;

  /** Undefined where the system does not offer it. */
  static open(): SocketRoom | undefined {
    const libc = openLibc(definitions);
    const fd = libc?.call.epoll_create1(closeOnExec) ?? -1;
    return libc === undefined || fd < 0 ? undefined : new SocketRoom(libc, fd);
  }

  private constructor(libc: Libc<typeof definitions>, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
    this.#foundAddress = libc.addressOf(this.#found.buffer);
    this.#addedAddress = libc.addressOf(this.#added.buffer);
  }

  /** From now on until it is closed the socket can be waited for. False: it cannot. */
  add(socketFd: number): boolean {
    this.#added[0] = roomAgain;
    this.#added[dataWord] = socketFd;
    return this.#libc.call.epoll_ctl(this.#fd, ctlAdd, socketFd, this.#addedAddress) === 0;
  }

  /** Calls `onRoom` once there is room, or an error to be met. Only for a socket that took less than it was offered. */
  wait(socketFd: number, onRoom: () => void): void {
    this.#waiting.set(socketFd, onRoom);
    this.#timer ??= setInterval(() => this.#look(), lookMs).unref();
  }

  /** The socket is closed. Its number may be that of another by now, who waits here as well. */
  forget(socketFd: number, onRoom: () => void): void {
    if (this.#waiting.get(socketFd) === onRoom) this.#waiting.delete(socketFd);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#waiting.clear();
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  #look(): void {
    if (this.#waiting.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const found = this.#libc.call.epoll_wait(this.#fd, this.#foundAddress, eventsMax, 0);
    for (let i = 0; i < found; i++) this.#tell(this.#found[i * eventWords + dataWord] ?? -1);
  }

  #tell(socketFd: number): void {
    const onRoom = this.#waiting.get(socketFd);
    this.#waiting.delete(socketFd);
    onRoom?.();
  }
}
