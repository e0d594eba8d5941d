import type { Socket } from 'node:net';
import { Exchange, type Front } from '../exchange/exchange.ts';
import type { ViewerLimits } from '../limits.ts';
import type { Sendfile } from '../socket/file-writes.ts';
import type { UnsentBound } from '../socket/unsent-bound.ts';
import { LeanReader, type LeanRequest } from './lean-request.ts';
import { type HeadTails, LeanResponder } from './lean-responder.ts';

/** What all connections share. */
export interface LeanOptions {
  readonly front: Front;
  readonly limits: ViewerLimits;
  readonly scheme: 'http' | 'https';
  /** Whether this process is going away: every response then ends its connection. */
  readonly draining: () => boolean;
  readonly tails: HeadTails;
  /** Milliseconds of a clock that stands still while this process does; up to a second more than it says, never less. */
  readonly coarseNow: () => number;
  readonly sendfile: Sendfile | undefined;
  readonly unsent: UnsentBound | undefined;
}

/** node:http gives a viewer this much longer than it announces, so that fewer requests meet a closing connection. */
const keepAliveGraceMs = 1000;
const none = Buffer.alloc(0);
const version = '1.1';

/**
 * A connection as long as its requests are plain. They are answered one after the other; the first one that is not
 * plain, and all behind it, are left to somebody else once every response before it is out.
 */
export class LeanConnection {
  /** Takes over the socket, whose unread bytes were put back, for good. */
  onHandedOver: () => void = () => {};
  readonly #socket: Socket;
  readonly #options: LeanOptions;
  readonly #reader: LeanReader;
  readonly #responder: LeanResponder;
  readonly #remote: string;
  #exchange: Exchange | undefined;
  /** Input behind the request being answered. The socket is paused meanwhile, so that it is one read at most. */
  #unread: Buffer | undefined;
  #serving = false;
  /** Requests taken since all input was used up. */
  #pipelined = 0;
  #over = false;
  #restsUntilMs: number;
  /** When it was looked at last. */
  #taken = -1;
  #stallsAtMs = 0;

  constructor(socket: Socket, options: LeanOptions) {
    const { limits, draining, coarseNow, tails, sendfile, unsent } = options;
    this.#socket = socket;
    this.#options = options;
    this.#reader = new LeanReader(limits);
    this.#responder = new LeanResponder(socket, { tails, draining, sendfile, unsent, onSent: () => this.#onSent() });
    this.#remote = socket.remoteAddress ?? '';
    this.#restsUntilMs = coarseNow() + limits.headTimeoutMs;
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Whether it waits for a request. */
  get idle(): boolean {
    return this.#exchange === undefined;
  }

  /** Ends a connection that waits for a request longer than it may, or whose viewer takes nothing for so long. */
  closeIfExpired(nowMs: number): void {
    if (this.idle ? nowMs >= this.#restsUntilMs : this.#stalls(nowMs)) this.close();
  }

  #stalls(nowMs: number): boolean {
    const taken = this.#responder.takenBytes;
    const moves = taken !== this.#taken || !this.#responder.waits;
    if (moves) this.#stallsAtMs = nowMs + this.#options.limits.stallTimeoutMs;
    this.#taken = taken;
    return nowMs >= this.#stallsAtMs;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Bytes that were read; they are not kept. */
  take(input: Buffer, length: number): void {
    if (this.#over) return;
    if (this.#exchange === undefined) this.#serve(input, length);
    else this.#keep(Buffer.concat([this.#unread ?? none, input.subarray(0, length)]));
  }

  /** Nothing more comes. What has begun to go out is finished; a viewer that still waits for an answer is taken for gone. */
  readonly #onEnd = (): void => {
    if (this.#exchange === undefined || !this.#responder.begun) this.#end();
  };

  readonly #onClose = (): void => {
    this.#exchange?.closed(false);
    this.#over = true;
  };

  /** The close that follows tells all there is to tell. */
  readonly #onError = (): void => {};

  #serve(input: Buffer, length: number): void {
    const text = input.toString('latin1', 0, length);
    let at = 0;
    this.#serving = true;
    while (at < length && this.#exchange === undefined && !this.#over) {
      const request = this.#pipelined < this.#options.limits.pipelineMax ? this.#reader.read(text, at) : undefined;
      if (request === undefined) {
        this.#handOver(Buffer.from(input.subarray(at, length)));
        return;
      }
      this.#pipelined += 1;
      at = request.end;
      this.#answer(request);
    }
    this.#serving = false;
    if (this.#over) return;
    if (at < length) this.#keep(Buffer.from(input.subarray(at, length)));
    else if (this.#exchange === undefined) this.#rest();
    if (this.#socket.readableEnded) this.#onEnd();
  }

  #answer({ read, close }: LeanRequest): void {
    const { front, scheme } = this.#options;
    const { method, target, fields, authority } = read;
    const remote = this.#remote;
    const socket = this.#socket;
    const head = { method, target, version, fields, scheme, localAuthority: authority, remote, socket, read } as const;
    const exchange = new Exchange(front, head, this.#responder);
    this.#exchange = exchange;
    this.#responder.begin({ toHead: method === 'HEAD', close });
    exchange.run();
    this.#responder.release();
  }

  #onSent(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.closed(true);
    if (this.#responder.close) this.#end();
    else if (!this.#serving) this.#goOn();
  }

  /** Serves what waited behind a response that took its time. */
  #goOn(): void {
    const unread = this.#unread;
    this.#unread = undefined;
    if (unread === undefined) this.#rest();
    else this.#serve(unread, unread.length);
    if (this.#over) return;
    if (this.#unread === undefined) this.#socket.resume();
    if (this.#socket.readableEnded) this.#onEnd();
  }

  /** Needed once the response before it is out. */
  #keep(unread: Buffer): void {
    this.#unread = unread;
    this.#socket.pause();
  }

  #rest(): void {
    const { limits, coarseNow } = this.#options;
    this.#pipelined = 0;
    this.#restsUntilMs = coarseNow() + limits.keepAliveTimeoutMs + keepAliveGraceMs;
  }

  #end(): void {
    this.#over = true;
    this.#unread = undefined;
    this.#socket.destroySoon();
  }

  #handOver(unread: Buffer): void {
    const socket = this.#socket;
    // Nothing can be put back into a stream that has told its end.
    if (socket.readableEnded) {
      this.#end();
      return;
    }
    this.#over = true;
    socket.off('end', this.#onEnd);
    socket.off('close', this.#onClose);
    socket.off('error', this.#onError);
    // Paused, so that the bytes wait for the next reader's listener, which resuming then feeds first of all.
    socket.pause();
    socket.unshift(unread);
    this.onHandedOver();
    socket.resume();
  }
}
