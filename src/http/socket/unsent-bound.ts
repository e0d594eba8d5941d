import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { totalmem } from 'node:os';
import { openLibc } from '../../libc.ts';
import { fdOf } from './socket-fd.ts';

const definitions = {
  setsockopt: { return: 'i32', arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'] },
  getpagesize: { return: 'i32', arguments: [] },
} as const;
/** IPPROTO_TCP and TCP_NOTSENT_LOWAT. */
const [tcp, notSentLowat] = [6, 25];

/** Less costs more turns than it saves memory. */
const leastBytes = 64 * 1024;
/** A share of so much is no bound: hardly a socket takes more than twice of it, and the budget is half of what there is. */
const mostBytes = 1280 * 1024;
/** A socket is told anew when its share has changed by so much of what it was told. */
const changeMin = 1 / 4;

interface UnsentBoundOptions {
  /** For the unsent bytes of all connections together. */
  readonly bytesMax: number;
  readonly connections: () => number;
}

/**
 * Bounds what the kernel holds unsent for viewers who take their bytes slower than the node has them, each to its share
 * of one budget. While connections are few nobody is bounded. Bytes that are on their way do not count, so that no share
 * is too small for a viewer far away; only the node has to write more often.
 */
export class UnsentBound {
  readonly #set: (socketFd: number, bytes: number) => void;
  readonly #options: UnsentBoundOptions;

  /** Undefined where the system does not offer it. */
  static open(options: UnsentBoundOptions): UnsentBound | undefined {
    const libc = openLibc(definitions);
    if (libc === undefined) return undefined;
    const value = new Int32Array(1);
    const address = libc.addressOf(value.buffer);
    return new UnsentBound(options, (socketFd, bytes) => {
      value[0] = bytes;
      libc.call.setsockopt(socketFd, tcp, notSentLowat, address, value.byteLength);
    });
  }

  private constructor(options: UnsentBoundOptions, set: (socketFd: number, bytes: number) => void) {
    this.#options = options;
    this.#set = set;
  }

  /**
   * Before much is written to a socket. `known`: what this returned for it last, 0 at first. Returns how many bytes it may
   * hold unsent; 0: as many as the system lets it.
   */
  apply(socket: Socket, known: number): number {
    const share = Math.floor(this.#options.bytesMax / Math.max(1, this.#options.connections()));
    const bytes = share >= mostBytes ? 0 : Math.max(leastBytes, share);
    if (bytes !== 0 && known !== 0 && Math.abs(bytes - known) < known * changeMin) return known;
    if (bytes !== known) this.#set(fdOf(socket), bytes);
    return bytes;
  }
}

/** Where it is not set otherwise the kernel becomes sparing at this share of the machine's memory. */
const sparingShare = 1 / 16;

/**
 * Half of what all TCP sockets of this machine may take before its kernel becomes sparing: then it drops what arrives,
 * of everybody. A container with a network of its own is not told and has what is usual. Undefined where there is no bound.
 */
export function unsentBudget(tcpMem = '/proc/sys/net/ipv4/tcp_mem'): number | undefined {
  const pageBytes = openLibc(definitions)?.call.getpagesize();
  if (pageBytes === undefined) return undefined;
  try {
    const [, pressurePages = 0] = readFileSync(tcpMem, 'utf8').trim().split(/\s+/).map(Number);
    return (pressurePages * pageBytes) / 2;
  } catch {
    return (totalmem() * sparingShare) / 2;
  }
}
