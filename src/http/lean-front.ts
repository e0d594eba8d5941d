import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import type { Front } from './exchange.ts';
import { LeanConnection, type LeanOptions } from './lean-connection.ts';
import { headTails } from './lean-responder.ts';
import type { ViewerLimits } from './limits.ts';
import { SharedReads } from './shared-reads.ts';

export interface LeanFrontOptions {
  readonly front: Front;
  readonly limits: ViewerLimits;
  /** Whether this process is going away: every response then ends its connection. */
  readonly draining: () => boolean;
  /** Each connection, in place of the server's own event: its socket may be another than the server made. */
  readonly onAccepted: (socket: Socket) => void;
}

/**
 * Reads the connections of a server in place of node:http while they are plain, and gives them back when they are not.
 * The server's own timeouts count from then on.
 */
export class LeanFront {
  readonly #server: Server;
  readonly #toHttp: readonly ((this: Server, socket: Socket) => void)[];
  readonly #connections = new Set<LeanConnection>();
  readonly #reads = new SharedReads();
  readonly #options: LeanOptions;
  readonly #onAccepted: (socket: Socket) => void;
  readonly #intervalMs: number;
  #nowMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server, { front, limits, draining, onAccepted }: LeanFrontOptions) {
    this.#server = server;
    this.#toHttp = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.once('close', () => clearInterval(this.#timer));
    this.#onAccepted = onAccepted;
    this.#intervalMs = sweepIntervalMs(limits);
    const coarseNow = () => this.#nowMs + this.#intervalMs;
    this.#options = { front, limits, draining, coarseNow, tails: headTails(limits.keepAliveTimeoutMs) };
  }

  /** Ends the connections that wait for a request. */
  closeIdle(): void {
    for (const connection of this.#connections) if (connection.idle) connection.close();
  }

  #accept(accepted: Socket): void {
    const { socket, release } = this.#reads.open(accepted, (buffer, length) => connection.take(buffer, length));
    const connection = new LeanConnection(socket, this.#options);
    socket.once('close', () => this.#connections.delete(connection));
    connection.onHandedOver = () => {
      this.#connections.delete(connection);
      release();
      for (const listener of this.#toHttp) listener.call(this.#server, socket);
    };
    this.#connections.add(connection);
    this.#onAccepted(socket);
    if (this.#timer !== undefined) return;
    this.#nowMs = performance.now();
    this.#timer = setInterval(() => this.#sweep(), this.#intervalMs).unref();
  }

  /** One look at all connections now and then costs less than a timer for each. */
  #sweep(): void {
    this.#nowMs = performance.now();
    for (const connection of this.#connections) connection.closeIfExpired(this.#nowMs);
  }
}

function sweepIntervalMs({ headTimeoutMs, keepAliveTimeoutMs }: ViewerLimits): number {
  return Math.max(100, Math.min(1000, Math.min(headTimeoutMs, keepAliveTimeoutMs) / 4));
}
