import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type Libc, openLibc } from '../../libc.ts';
import { fdOf } from './socket-fd.ts';

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
/** While so many wait, room is looked for this often only: each look then finds it for several, and more of it for each. */
const crowdMin = 16;
const crowdLookMs = 5;

/** The part of a socket's handle that is used here, for a descriptor that is none of a socket's. */
interface Handle {
  onread: () => void;
  open(fd: number): number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  unref(): void;
  close(): void;
}

type HandleOf = new (kind: 0) => Handle;

/**
 * Tells when sockets have room again: an epoll of our own watches them, and libuv watches that. libuv by itself tells it
 * by a write that waits, which is four system calls and some objects each time.
 */
export class SocketRoom {
  readonly #libc: Libc<typeof definitions>;
  readonly #fd: number;
  readonly #found = new Uint32Array(eventsMax * eventWords);
  readonly #foundAddress: bigint;
  readonly #added = new Uint32Array(eventWords);
  readonly #addedAddress: bigint;
  /** By the socket's number. */
  readonly #waiting = new Map<number, () => void>();
  #handle: Handle | undefined;
  /** While there is a crowd. */
  #looks: NodeJS.Timeout | undefined;
  #closed = false;

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

  /** From now on until it is closed the socket can be waited for, by the number that this returns. Below 0: it cannot. */
  add(socket: Socket): number {
    if (this.#closed) return -1;
    const socketFd = fdOf(socket);
    this.#handle ??= this.#watched(socket);
    this.#added[0] = roomAgain;
    this.#added[dataWord] = socketFd;
    const failed = this.#libc.call.epoll_ctl(this.#fd, ctlAdd, socketFd, this.#addedAddress) !== 0;
    return this.#handle === undefined || failed ? -1 : socketFd;
  }

  /** Calls `onRoom` once there is room, or an error to be met. Only for a socket that took less than it was offered. */
  wait(socketFd: number, onRoom: () => void): void {
    this.#waiting.set(socketFd, onRoom);
  }

  /** The socket is closed. Its number may be that of another by now, who waits here as well. */
  forget(socketFd: number, onRoom: () => void): void {
    if (this.#waiting.get(socketFd) === onRoom) this.#waiting.delete(socketFd);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#looks);
    this.#waiting.clear();
    if (this.#handle === undefined) closeSync(this.#fd);
    else this.#handle.close();
    this.#handle = undefined;
  }

  /**
   * Lets libuv watch the epoll by a handle as sockets have it. It is told that there is something to read, and has no
   * buffer to read it into.
   */
  #watched(socket: Socket): Handle | undefined {
    const { _handle: like } = socket as unknown as { readonly _handle: { readonly constructor: HandleOf } };
    const handle = new like.constructor(0);
    if (handle.open(this.#fd) !== 0) return undefined;
    handle.useUserBuffer(new Uint8Array(0));
    handle.onread = () => this.#look();
    handle.readStart();
    handle.unref();
    return handle;
  }

  #look(): void {
    const found = this.#libc.call.epoll_wait(this.#fd, this.#foundAddress, eventsMax, 0);
    for (let i = 0; i < found; i++) this.#tell(this.#found[i * eventWords + dataWord] ?? -1);
    const crowded = this.#waiting.size >= crowdMin;
    if (crowded === (this.#looks !== undefined) || this.#handle === undefined) return;
    if (crowded) {
      this.#handle.readStop();
      this.#looks = setInterval(() => this.#look(), crowdLookMs).unref();
    } else {
      clearInterval(this.#looks);
      this.#looks = undefined;
      this.#handle.readStart();
    }
  }

  #tell(socketFd: number): void {
    const onRoom = this.#waiting.get(socketFd);
    this.#waiting.delete(socketFd);
    onRoom?.();
  }
}
