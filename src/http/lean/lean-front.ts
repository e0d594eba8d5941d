import type { Server } from 'node:http';
import type { Server as NetServer, Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Front } from '../exchange/exchange.ts';
import type { ViewerLimits } from '../limits.ts';
import type { Sendfile } from '../socket/file-writes.ts';
import { SharedReads } from '../socket/shared-reads.ts';
import type { UnsentBound } from '../socket/unsent-bound.ts';
import { LeanConnection, type LeanOptions } from './lean-connection.ts';
import { headTails } from './lean-responder.ts';

export interface LeanFrontOptions {
  readonly scheme: 'http' | 'https';
  readonly front: Front;
  readonly limits: ViewerLimits;
  /** Whether this process is going away: every response then ends its connection. */
  readonly draining: () => boolean;
  /** Each connection that is read here: its socket may be another than the server made. */
  readonly onAccepted: (socket: Socket) => void;
  /** Takes over a connection whose requests are no longer plain. */
  readonly toHttp: (socket: Socket) => void;
  /** For content that is in a file as well. */
  readonly sendfile?: Sendfile | undefined;
  readonly unsent: UnsentBound | undefined;
}

/** Puts the front before a server that has no TLS. */
export function leanFrontOf(server: Server, options: Omit<LeanFrontOptions, 'scheme' | 'toHttp'>): LeanFront {
  const front = new LeanFront({ ...options, scheme: 'http', toHttp: ownHandling(server, 'connection') });
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => front.accept(socket));
  server.once('close', () => front.stop());
  return front;
}

/** What a server itself does with a connection, for when it is not asked any more. */
export function ownHandling(server: NetServer, event: 'connection' | 'secureConnection'): (socket: Socket) => void {
  const listeners = server.listeners(event) as ((this: NetServer, socket: Socket) => void)[];
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}

/**
 * Reads connections in place of node:http while they are plain, and gives them back when they are not.
 * The server's own timeouts count from then on.
 */
export class LeanFront {
  readonly #toHttp: (socket: Socket) => void;
  readonly #connections = new Set<LeanConnection>();
  readonly #reads = new SharedReads();
  readonly #options: LeanOptions;
  readonly #onAccepted: (socket: Socket) => void;
  readonly #intervalMs: number;
  /** Time as this process was there to see it: while it stands still no viewer is late. */
  #nowMs = 0;
  #lookedAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor({ front, limits, draining, scheme, onAccepted, toHttp, sendfile, unsent }: LeanFrontOptions) {
    this.#toHttp = toHttp;
    this.#onAccepted = onAccepted;
    this.#intervalMs = sweepIntervalMs(limits);
    const coarseNow = () => this.#nowMs + this.#intervalMs;
    const tails = headTails(limits.keepAliveTimeoutMs);
    this.#options = { front, limits, scheme, draining, coarseNow, tails, sendfile, unsent };
  }

  /** Ends the connections that wait for a request and rest, as they are asked each time. */
  closeIdle(rests: (socket: Socket, idle: boolean) => boolean): void {
    for (const connection of this.#connections) {
      const { socket, idle } = connection;
      if (rests(socket, idle) && idle) connection.close();
    }
  }

  /** The server is gone: no connection is left to look after. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Reads a new connection; one over TLS when its handshake is done. */
  accept(accepted: Socket): void {
    const { socket, release } = this.#reads.open(accepted, (buffer, length) => connection.take(buffer, length));
    const connection = new LeanConnection(socket, this.#options);
    socket.once('close', () => this.#connections.delete(connection));
    // Named first (docs/glossary.md): V8 would keep it in its old generation, with all that it holds.
    const handedOver = (): void => {
      this.#connections.delete(connection);
      release();
      this.#toHttp(socket);
    };
    connection.onHandedOver = handedOver;
    this.#connections.add(connection);
    this.#onAccepted(socket);
    if (this.#timer !== undefined) return;
    this.#lookedAtMs = performance.now();
    this.#timer = setInterval(() => this.#sweep(), this.#intervalMs).unref();
  }

  /** One look at all connections now and then costs less than a timer for each. */
  #sweep(): void {
    const nowMs = performance.now();
    this.#nowMs += Math.min(nowMs - this.#lookedAtMs, 2 * this.#intervalMs);
    this.#lookedAtMs = nowMs;
    for (const connection of this.#connections) connection.closeIfExpired(this.#nowMs);
  }
}

function sweepIntervalMs({ headTimeoutMs, keepAliveTimeoutMs, stallTimeoutMs }: ViewerLimits): number {
  return Math.max(100, Math.min(1000, Math.min(headTimeoutMs, keepAliveTimeoutMs, stallTimeoutMs) / 4));
}
