import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { EddyError } from '../errors.ts';
import { Fields } from '../fields.ts';
import { aborted, clientGone, malformed, noConnection, type Phase, upstreamFailure } from './failure.ts';
import { endToEnd } from './hop-by-hop.ts';
import { originBounds } from './origin-map.ts';

export interface ExchangeRequest {
  readonly method: string;
  /** Request target, sent as it is. */
  readonly path: string;
  /** All fields to send, Host included: name, value, name, value. */
  readonly fields: string[];
  readonly body: Readable | null;
}

export interface ExchangeOptions {
  /** Scheme, host and port, for messages. */
  readonly origin: string;
  readonly connectTimeoutMs: number;
  readonly firstByteTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly onInformational?: ((status: number, fields: Fields) => void) | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface ResponseHead {
  readonly status: number;
  /** End-to-end fields in order and case as received. */
  readonly fields: Fields;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

interface Reader {
  readonly resolve: (result: IteratorResult<Buffer, undefined>) => void;
  readonly reject: (error: EddyError) => void;
}

/**
 * One request to one upstream and its response; iterating gives the body. At most `unreadBytesMax` are kept for a
 * reader that lags, then the connection is paused. `return` and an abort close the connection.
 */
export class Exchange implements Dispatcher.DispatchHandler, AsyncIterableIterator<Buffer, undefined> {
  /** Whether the request was given to a connection, and whether a response had begun: what a retry hangs on. */
  sent = false;
  responding = false;
  /** Resolves when nothing more comes: to what went wrong, undefined after a whole body or `return`. */
  readonly settled: Promise<EddyError | undefined>;

  readonly #options: ExchangeOptions;
  readonly #head = Promise.withResolvers<ResponseHead>();
  readonly #settle: (error: EddyError | undefined) => void;
  readonly #unread: Buffer[] = [];
  readonly #onAbort = () => this.#fail(aborted(this.#options.signal));
  #unreadBytes = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #requestBody: Readable | null = null;
  #reader: Reader | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #phase: Phase | 'ended' | 'failed' = 'connect';
  #error: EddyError | undefined;
  #discarded: number | undefined;
  #requestTimeMs = 0;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<EddyError | undefined>();
    this.settled = promise;
    this.#settle = resolve;
  }

  /** Sends the request. Resolves at the final response's fields. @throws EddyError */
  start(dispatcher: Dispatcher, request: ExchangeRequest): Promise<ResponseHead> {
    const { connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs, signal } = this.#options;
    if (signal.aborted) this.#onAbort();
    else {
      signal.addEventListener('abort', this.#onAbort);
      // Covers what undici has no deadline for: the wait for a free connection.
      const startTimeoutMs = connectTimeoutMs + firstByteTimeoutMs;
      this.#startTimer = setTimeout(
        () => this.#fail(noConnection(this.#options.origin, startTimeoutMs)),
        startTimeoutMs,
      );
      this.#requestBody = request.body;
      const { method, path, fields: headers, body } = request;
      dispatcher.dispatch(
        { method, path, headers, body, headersTimeout: firstByteTimeoutMs, bodyTimeout: idleTimeoutMs },
        this,
      );
    }
    return this.#head.promise;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Buffer, undefined>> {
    const chunk = this.#unread.shift();
    if (chunk !== undefined) {
      this.#unreadBytes -= chunk.length;
      if (this.#unreadBytes <= originBounds.unreadBytesMax / 2) this.#controller?.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#phase === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** Closes the connection unless the body has come to its end already. */
  return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#drop();
    if (this.#running) {
      this.#end();
      this.#controller?.abort(new Error('the body is not wanted'));
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Lets go of the body, keeping the connection when little of it is left. */
  discard(): void {
    this.#discarded = this.#unreadBytes;
    this.#drop();
    this.#controller?.resume();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    clearTimeout(this.#startTimer);
    // Given up while it waited for a connection: throwing leaves that connection to others, aborting would close it.
    if (this.#error !== undefined) throw this.#error;
    this.#controller = controller;
    this.#phase = 'headers';
    this.sent = true;
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
    const fields = new Fields(endToEnd(raw));
    if (status < 200) {
      this.#options.onInformational?.(status, fields);
      return;
    }
    this.#phase = 'body';
    this.#head.resolve({ status, fields, requestTimeMs: this.#requestTimeMs, responseTimeMs: Date.now() });
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#options.onBytes?.(chunk.length);
    if (this.#discarded !== undefined) {
      this.#discarded += chunk.length;
      if (this.#discarded > originBounds.discardedBytesMax) void this.return();
      return;
    }
    const reader = this.#reader;
    if (reader !== undefined) {
      this.#reader = undefined;
      reader.resolve({ done: false, value: chunk });
      return;
    }
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#unreadBytes >= originBounds.unreadBytesMax) controller.pause();
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
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  #fail(error: EddyError): void {
    if (!this.#running) return;
    this.#phase = 'failed';
    this.#error = error;
    // What arrived before a break is right and still wanted; after an abort nothing is.
    if (error.code === 'aborted') this.#drop();
    this.#finish();
    this.#head.promise.catch(() => {});
    this.#head.reject(error);
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#controller?.abort(error);
  }

  #finish(): void {
    clearTimeout(this.#startTimer);
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    this.#settle(this.#error);
  }

  #drop(): void {
    this.#unread.length = 0;
    this.#unreadBytes = 0;
  }
}

/** As undici gives them: the bytes of names and values by turns. */
function rawFields(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  // The parser leaves optional whitespace (RFC 9112 section 5.1) at the end of values.
  return raw.map((part) => part.toString('latin1').replace(/[ \t]+$/, ''));
}

/** Why a response that parses cannot be passed on. */
function unusable(status: number, raw: readonly string[]): string | undefined {
  if (status === 101) return 'an upgrade that nobody asked for';
  if (status < 100 || status > 599) return `the status ${status}`;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== 'transfer-encoding') continue;
    if (raw[i + 1]?.toLowerCase() !== 'chunked') return `the transfer coding ${raw[i + 1]}`;
  }
  return undefined;
}
