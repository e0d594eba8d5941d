import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { EddyError } from '../errors.ts';
import { Fields } from '../fields.ts';
import { endToEnd } from '../semantics/hop-by-hop.ts';
import { Deadline } from './deadline.ts';
import { aborted, clientGone, late, malformed, type Phase, upstreamFailure } from './failure.ts';
import { originBounds } from './origin-map.ts';
import type { ReadTurn } from './read-turn.ts';
import { type ResponseHead, rawFields, unusable } from './response-head.ts';
import { UnreadBody } from './unread-body.ts';

interface ExchangeRequest {
  readonly method: string;
  /** Request target, sent as it is. */
  readonly path: string;
  /** All fields to send, Host included: name, value, name, value. */
  readonly fields: string[];
  readonly body: Readable | null;
}

interface UpstreamExchangeOptions {
  /** Scheme, host and port, for messages. */
  readonly origin: string;
  readonly connectTimeoutMs: number;
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly onInformational?: ((status: number, fields: Fields) => void) | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Shared by all: a body rests when it is over. */
  readonly turn?: ReadTurn | undefined;
}

/**
 * One request to one upstream and its response; iterating gives the body. At most `unreadBytesMax` are kept for a
 * reader that lags, then the connection is paused. `return` and an abort close the connection.
 */
export class UpstreamExchange implements Dispatcher.DispatchHandler, AsyncIterableIterator<Buffer, undefined> {
  /** Whether the request was given to a connection, and whether a response had begun: what a retry hangs on. */
  sent = false;
  responding = false;
  /** Resolves when nothing more comes: to what went wrong, undefined after a whole body or `return`. */
  readonly settled: Promise<EddyError | undefined>;

  readonly #options: UpstreamExchangeOptions;
  readonly #head = Promise.withResolvers<ResponseHead>();
  readonly #settle: (error: EddyError | undefined) => void;
  readonly #deadline = new Deadline();
  readonly #unread = new UnreadBody(() => this.#resume());
  readonly #onAbort = () => this.#fail(aborted(this.#options.signal));
  #controller: Dispatcher.DispatchController | undefined;
  #requestBody: Readable | null = null;
  #resting = false;
  #phase: Phase | 'ended' | 'failed' = 'connect';
  #error: EddyError | undefined;
  #discarded: number | undefined;
  #requestTimeMs = 0;

  constructor(options: UpstreamExchangeOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<EddyError | undefined>();
    this.settled = promise;
    this.#settle = resolve;
  }

  /** Sends the request. Resolves at the final response's fields. @throws EddyError */
  start(dispatcher: Dispatcher, request: ExchangeRequest): Promise<ResponseHead> {
    const { signal } = this.#options;
    if (signal.aborted) this.#onAbort();
    else {
      signal.addEventListener('abort', this.#onAbort);
      this.#await('connect');
      this.#requestBody = request.body;
      const { method, path, fields: headers, body } = request;
      dispatcher.dispatch({ method, path, headers, body, headersTimeout: 0, bodyTimeout: 0 }, this);
    }
    return this.#head.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    return this.#unread.next();
  }

  /** Closes the connection unless the body has come to its end already. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#unread.drop();
    if (this.#running) {
      this.#end();
      this.#controller?.abort(new Error('the body is not wanted'));
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Lets go of the body, keeping the connection when little of it is left. */
  discard(): void {
    this.#discarded = this.#unread.bytes;
    this.#unread.drop();
    this.#resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection: throwing leaves that connection to others, aborting would close it.
    if (this.#error !== undefined) throw this.#error;
    this.#controller = controller;
    this.sent = true;
    this.#await('headers');
    this.#requestTimeMs = Date.now();
  }

  onResponseStarted(): void {
    this.responding = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    const raw = rawFields(controller.rawHeaders);
    const problem = unusable(status, raw);
    if (problem !== undefined) {
      this.#fail(malformed(this.#options.origin, problem));
      return;
    }
    const fields = endToEnd(new Fields(raw));
    if (status < 200) {
      this.#options.onInformational?.(status, fields);
      return;
    }
    this.#await('body');
    this.#head.resolve({ status, fields, requestTimeMs: this.#requestTimeMs, responseTimeMs: Date.now() });
  }

  onBodySent(): void {
    this.#deadline.touch();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#deadline.touch();
    this.#options.onBytes?.(chunk.length);
    if (this.#discarded !== undefined) {
      this.#discarded += chunk.length;
      if (this.#discarded > originBounds.discardedBytesMax) void this.return();
      return;
    }
    if (!this.#resting && this.#options.turn?.isOver(chunk.length, this.#goOn)) {
      this.#resting = true;
      controller.pause();
    }
    this.#unread.add(chunk);
    if (this.#unread.isFull) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#running) this.#end();
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#failWith(error);
  }

  get #running(): boolean {
    return this.#phase !== 'ended' && this.#phase !== 'failed';
  }

  readonly #goOn = (): void => {
    this.#resting = false;
    if (!this.#unread.isFull) this.#resume();
  };

  #resume(): void {
    if (!this.#controller?.paused || this.#resting) return;
    this.#deadline.touch();
    this.#controller.resume();
  }

  /** Enters the phase, under its deadline. */
  #await(phase: Phase): void {
    const { origin, connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs } = this.#options;
    const timeoutMs = { connect: connectTimeoutMs, headers: firstByteTimeoutMs, body: idleTimeoutMs }[phase];
    this.#phase = phase;
    this.#deadline.start({
      timeoutMs,
      ownWait: () => this.#ownWait,
      onLate: () => this.#fail(late(origin, phase, timeoutMs)),
    });
  }

  /** Whether it is the reader of this body, or the source of the request's, that lets the upstream wait. */
  get #ownWait(): boolean {
    if (this.#phase === 'body') return this.#controller?.paused === true;
    const body = this.#requestBody;
    return this.#phase === 'headers' && body !== null && !body.readableEnded && !body.isPaused();
  }

  /** A failure of the caller's request body is the caller's; any other is the upstream's. */
  #failWith(cause: unknown): void {
    const { origin } = this.#options;
    const phase = this.#phase === 'headers' || this.#phase === 'body' ? this.#phase : 'connect';
    const own = cause !== undefined && this.#requestBody?.errored === cause;
    this.#fail(own ? clientGone(cause) : upstreamFailure(cause, { origin, phase }));
  }

  #end(): void {
    this.#phase = 'ended';
    this.#finish();
    this.#unread.end();
  }

  #fail(error: EddyError): void {
    if (!this.#running) return;
    this.#phase = 'failed';
    this.#error = error;
    // What arrived before a break is right and still wanted; after an abort nothing is.
    if (error.code === 'aborted') this.#unread.drop();
    this.#finish();
    this.#head.promise.catch(() => {});
    this.#head.reject(error);
    this.#unread.fail(error);
    this.#controller?.abort(error);
  }

  #finish(): void {
    this.#deadline.stop();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#settle(this.#error);
  }
}
