import type { Server as HttpServer } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { Server as NetServer, type Socket } from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { LeanFront } from './lean/lean-front.ts';
import { IdleTimes } from './socket/idle-times.ts';

const restingCheckMs = 100;
const drainGraceMsDefault = 600;

/** All connections of all listeners, and how they end. */
export class Connections {
  readonly #drainGraceMs: number;
  readonly #servers: HttpServer[] = [];
  readonly #leanFronts: LeanFront[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #whenEmpty: (() => void)[] = [];
  readonly #idleTimes = { all: new IdleTimes(), lean: new IdleTimes() };
  #draining = false;
  #accepting = true;

  constructor(drainGraceMs = drainGraceMsDefault) {
    this.#drainGraceMs = drainGraceMs;
  }

  get count(): number {
    return this.#sockets.size;
  }

  /** HTTP/1.1 responses from now on say `Connection: close`. */
  get draining(): boolean {
    return this.#draining;
  }

  /** A server whose connections are given to `track`. */
  addServer(server: HttpServer, connectionsMax: number): void {
    server.maxConnections = connectionsMax;
    this.#servers.push(server);
  }

  addLeanFront(front: LeanFront): void {
    this.#leanFronts.push(front);
  }

  readonly track = (socket: Socket): void => {
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) for (const settle of this.#whenEmpty.splice(0)) settle();
    });
  };

  addSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    if (this.#draining) announce(session);
  }

  /** Only the listening sockets: http.Server.close would cut connections that rest, with requests on their way. */
  stopAccepting(): void {
    if (!this.#accepting) return;
    this.#accepting = false;
    for (const server of this.#servers) if (server.listening) NetServer.prototype.close.call(server);
  }

  /**
   * Whoever still asks is answered and told to go, so that no request on its way meets a closed connection: one ends when
   * it has rested for the grace, also behind a response that began before the drain and did not say `close`. Running
   * responses are waited for until the deadline.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.stopAccepting();
    this.#draining = true;
    const cut = setTimeout(() => this.#cut(), deadlineMs);
    for (const session of this.#sessions) announce(session);
    const empty = this.#empty();
    this.#closeResting();
    // What came while the process stood still is read first.
    const again = setInterval(() => setImmediate(() => this.#closeResting()), restingCheckMs);
    await Promise.race([empty, sleep(Math.min(this.#drainGraceMs, deadlineMs), undefined, { ref: false })]);
    await turn();
    for (const session of this.#sessions) session.close();
    await empty;
    clearInterval(again);
    clearTimeout(cut);
    this.#release();
  }

  async close(): Promise<void> {
    this.stopAccepting();
    this.#draining = true;
    const empty = this.#empty();
    this.#cut();
    await empty;
    this.#release();
  }

  #empty(): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  #closeResting(): void {
    const nowMs = performance.now();
    const rests = (times: IdleTimes) => (socket: Socket, idle: boolean) =>
      times.ofMs(socket, { idle, nowMs }) >= this.#drainGraceMs;
    for (const front of this.#leanFronts) front.closeIdle(rests(this.#idleTimes.lean));
    const quiet = [...this.#sockets].filter((socket) => rests(this.#idleTimes.all)(socket, true));
    // Connections opened ahead of need have not begun a request either.
    for (const socket of quiet) if (socket.bytesRead === 0) socket.destroy();
    // Which of its connections are idle only node:http knows.
    if (quiet.length === this.#sockets.size) for (const server of this.#servers) server.closeIdleConnections();
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops what http.Server keeps running for its timeouts. */
  #release(): void {
    for (const server of this.#servers) server.close(() => {});
  }
}

/** RFC 9113 section 6.8: the client learns to stop, while streams already on their way are still taken. */
function announce(session: ServerHttp2Session): void {
  if (!session.destroyed && !session.closed) session.goaway(0, 2 ** 31 - 1);
}
