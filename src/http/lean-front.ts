import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Front } from './exchange.ts';
import { LeanConnection, type LeanOptions } from './lean-connection.ts';
import type { ViewerLimits } from './limits.ts';

export interface LeanFrontOptions {
  readonly front: Front;
  readonly limits: ViewerLimits;
  readonly draining: () => boolean;
}

/**
 * Reads the connections of a server in place of node:http while they are plain, and gives them back when they are not.
 * The server's own timeouts count from then on.
 */
export class LeanFront {
  readonly #connections = new Set<LeanConnection>();
  readonly #options: LeanOptions;
  readonly #intervalMs: number;
  #nowMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server, options: LeanFrontOptions) {
    const toHttp = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => this.#accept(socket));
    server.once('close', () => clearInterval(this.#timer));
    const intervalMs = sweepIntervalMs(options.limits);
    this.#intervalMs = intervalMs;
    this.#options = {
      ...options,
      coarseNow: () => this.#nowMs + intervalMs,
      onHandedOver: (connection, socket) => {
        this.#connections.delete(connection);
        for (const listener of toHttp) listener.call(server, socket);
      },
      onClosed: (connection) => this.#connections.delete(connection),
    };
  }

  /** Ends the connections that wait for a request. */
  closeIdle(): void {
    for (const connection of this.#connections) if (connection.idle) connection.close();
  }

  #accept(socket: Socket): void {
    this.#timer ??= setInterval(() => this.#sweep(), this.#intervalMs).unref();
    this.#connections.add(new LeanConnection(socket, this.#options));
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
