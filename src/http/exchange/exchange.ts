import type { Answer, Cache, CacheRequest, Content, MapPolicy } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { EddyError, viewerGone } from '../../errors.ts';
import type { Fields } from '../../fields.ts';
import { preflightReply } from '../reply/cors.ts';
import { errorCode, errorReply, statusOfFailed } from '../reply/error-status.ts';
import { settlePending } from '../reply/pending-span.ts';
import type { Reply, ReplyPlanner } from '../reply/reply.ts';
import { ReplyFields } from '../reply/reply-fields.ts';
import type { Responder } from '../reply/responder.ts';
import { textReply } from '../reply/text-reply.ts';
import { LookupRequest } from '../request/lookup-request.ts';
import { forwardedFields, localReply } from '../request/options-method.ts';
import { mappingOf } from '../request/policies.ts';
import { type ReadRequest, type RequestLimits, readRequest } from '../request/request.ts';
import type { RequestHead } from '../request/request-head.ts';
import type { ThroughputOf } from '../socket/socket-throughput.ts';
import { type AccessRecord, MeteredResponder, type Outcome } from './access.ts';
import { type SendOptions, send } from './send.ts';

/** What every exchange shares. `policies` may be replaced between two exchanges; longest prefix first. */
export interface Front {
  readonly cache: Cache;
  policies: readonly MapPolicy[];
  readonly limits: RequestLimits;
  readonly planner: ReplyPlanner;
  readonly log: ViewerLog;
  readonly throughputOf?: ThroughputOf | undefined;
  readonly onStarted: () => void;
  readonly onFinished: (record: AccessRecord) => void;
}

/** The part of the logger this folder uses. */
export interface ViewerLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
}

/** One request and its response, on whatever transport: `run` answers it, `closed` is told when the transport is done. */
export class Exchange implements SendOptions {
  readonly #front: Front;
  readonly #head: RequestHead;
  readonly #responder: MeteredResponder;
  readonly #outcome: Outcome = {
    complete: false,
    cacheStatus: undefined,
    source: undefined,
    map: undefined,
    error: undefined,
    learntMs: undefined,
  };
  #aborter: AbortController | undefined;
  #content: Content | undefined;
  #closed = false;
  /** Set while the cache holds the request. */
  #leave: (() => void) | undefined;

  constructor(front: Front, head: RequestHead, responder: Responder) {
    this.#front = front;
    this.#head = head;
    this.#responder = new MeteredResponder(responder);
    front.onStarted();
  }

  /** Answers the request; a fresh hit in RAM is answered before this returns, and then there is no promise. Never rejects. */
  run(): Promise<void> | undefined {
    let waiting: Promise<void> | undefined;
    try {
      waiting = this.#answer()?.catch((error: unknown) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#closed) this.#responder.waits();
    return waiting;
  }

  /** The response went out whole (`complete`), or the viewer is gone: stops what still runs for it. Once. */
  closed(complete: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outcome.complete = complete;
    this.#leave?.();
    if (!complete) this.#aborter?.abort(viewerGone());
    // HTTP/2 may still look at what it was given.
    else if (this.#head.version.startsWith('1')) this.#content?.release?.();
    this.#front.onFinished(this.#responder.record(this.#head, this.#outcome));
  }

  /** Its content turned out malformed: told so if no response has begun, else cut off. */
  refuse(reply: Reply): void {
    this.#outcome.error = 'bad-request';
    if (this.#responder.started) this.#responder.destroy(new Error('malformed content'));
    else this.#sendInstead(reply);
  }

  #answer(): Promise<void> | undefined {
    const read = this.#head.read ?? readRequest(this.#head, this.#front.limits);
    if (!('kind' in read)) return this.#send(read);
    const local = localReply(read);
    if (local !== undefined) return this.#send(local);
    const mapped = mappingOf(read, this.#front.policies);
    if (mapped === undefined) return this.#send(textReply(404, 'no origin is mapped to this path'));
    const { policy } = mapped;
    this.#outcome.map = policy.name;
    const preflight = policy.cors ? preflightReply(read.method, read.fields) : undefined;
    if (preflight !== undefined) return this.#send(preflight);
    const lookup = new LookupRequest(read, mapped, this);
    const known = this.#front.cache.peek(lookup);
    if (known !== undefined) return this.#reply(known, lookup);
    this.#leave = this.#front.cache.hold?.(lookup, (answer) => this.#released(read, { request: lookup, answer }));
    return this.#leave === undefined ? this.#askCache(read, policy) : undefined;
  }

  /** What the request was held for is there, or the cache does not hold it any longer. */
  #released(read: ReadRequest, { request, answer }: { request: LookupRequest; answer: Answer | undefined }): void {
    this.#leave = undefined;
    // Refused meanwhile.
    if (this.#responder.started) return;
    try {
      const waiting = answer === undefined ? this.#askCache(read, request.policy) : this.#reply(answer, request);
      waiting?.catch((error: unknown) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #askCache(read: ReadRequest, policy: MapPolicy): Promise<void> {
    const request: CacheRequest = {
      method: read.method,
      target: read.target,
      scheme: this.#head.scheme,
      authority: read.authority,
      fields: forwardedFields(read.method, read.fields),
      policy,
      signal: this.signal(),
      onInformational: (status, fields) => this.#inform(status, fields),
      throughputKbps: () => this.throughputKbps(),
      ...(read.body === undefined ? {} : { body: read.body }),
    };
    const answer = await this.#front.cache.answer(request);
    // Refused while it was on its way.
    if (!this.#responder.started) await this.#reply(answer, request);
    else if (answer.kind === 'passed') discard(answer);
  }

  #reply(answer: Answer, request: CacheRequest): Promise<void> | undefined {
    this.#outcome.cacheStatus = answer.cacheStatus;
    if (answer.kind === 'representation') {
      this.#content = answer.content;
      this.#outcome.learntMs = answer.learntMs;
    }
    const { planner } = this.#front;
    const planned = planner.plan(answer, request);
    if (!('pending' in planned)) return this.#send(planned);
    if (answer.kind !== 'representation') throw new TypeError('only a representation has pending ranges');
    return settlePending(answer, request, { span: planned.pending, planner }).then((reply) => this.#send(reply));
  }

  #send(reply: Reply): Promise<void> | undefined {
    this.#outcome.source = reply.source;
    return send(reply, this.#responder, this);
  }

  #fail(error: unknown): void {
    this.#outcome.error = errorCode(error);
    this.#outcome.cacheStatus ??= statusOfFailed(error, this.#head.method);
    if (this.#closed) return;
    if (!(error instanceof EddyError) || error.code === 'internal') {
      this.#front.log.error({ err: error, target: this.#head.target }, 'answering a request failed');
    }
    if (this.#responder.started) this.#responder.destroy(asError(error));
    else this.#sendInstead(errorReply(error, this.#head.method, { crossOrigin: this.#head.fields.has('origin') }));
  }

  #sendInstead(reply: Reply): void {
    try {
      void this.#send(reply);
    } catch (cause) {
      this.#responder.destroy(asError(cause));
    }
  }

  get method(): string {
    return this.#head.method;
  }

  get scheme(): 'http' | 'https' {
    return this.#head.scheme;
  }

  /** Aborted when the viewer is gone. Made when it is asked for, since most hits never look at it. */
  signal(): AbortSignal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      if (this.#closed) this.#aborter.abort(viewerGone());
    }
    return this.#aborter.signal;
  }

  /** What the connection carried of late. */
  throughputKbps(): number | undefined {
    const { socket } = this.#head;
    return socket && this.#front.throughputOf?.(socket);
  }

  /** Interim responses are a courtesy: one that cannot be sent is left out. */
  #inform(status: number, fields: Fields): void {
    const late = this.#closed || this.#responder.started;
    if (late || status <= 101 || status > 199 || this.#head.version === '1.0') return;
    try {
      this.#responder.head(status, new ReplyFields(fields.raw));
    } catch (error) {
      this.#front.log.warn({ err: error, status }, 'an interim response could not be passed on');
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
