import { performance } from 'node:perf_hooks';
import type { CacheStatus, Source } from '../../cache/types.ts';
import type { ErrorCode } from '../../errors.ts';
import { secretsInTarget } from '../../log/secret-parameters.ts';
import type { ReplyFields } from '../reply/reply-fields.ts';
import type { Responder } from '../reply/responder.ts';
import type { RequestHead } from '../request/request-head.ts';

/** One line of the access log: one request, after its last byte was handed over or its viewer left. */
export interface AccessRecord {
  /** Milliseconds since the epoch when the header section had been read. */
  readonly time: number;
  readonly remote: string;
  readonly method: string;
  /** With values of token-like query parameters redacted; at most 2048 characters. */
  readonly target: string;
  readonly protocol: `HTTP/${string}`;
  /** 0 when nothing was sent. */
  readonly status: number;
  /** Content bytes given to the transport. */
  readonly bytes: number;
  readonly durationMs: number;
  /** Until the head of the final response was handed over. */
  readonly firstByteMs: number | undefined;
  /** Whether the response went out to its end. */
  readonly complete: boolean;
  readonly hit: boolean;
  readonly detail: Source | undefined;
  readonly fwd: CacheStatus['fwd'];
  readonly collapsed: boolean;
  readonly map: string | undefined;
  readonly range: string | undefined;
  readonly userAgent: string | undefined;
  readonly error: ErrorCode | undefined;
  /** From when the version that it was held for became known in the cell, to the end of the response. Not in the log. */
  readonly releaseMs: number | undefined;
}

/** What only the one who answers knows. */
export interface Outcome {
  complete: boolean;
  cacheStatus: CacheStatus | undefined;
  /** Where the first byte came from, if the cache did not say. */
  source: Source | undefined;
  map: string | undefined;
  error: ErrorCode | undefined;
  /** Epoch milliseconds with fractions: when what it was held for became known. */
  learntMs: number | undefined;
}

const textMax = 256;
const targetMax = 2048;

/** A Responder that notes what passes through it. */
export class MeteredResponder implements Responder {
  readonly #inner: Responder;
  readonly #startedMs = performance.now();
  readonly #time = Date.now();
  #status = 0;
  #bytes = 0;
  #firstByteMs: number | undefined;
  #atOnce = true;

  constructor(inner: Responder) {
    this.#inner = inner;
  }

  /** Whether the final response has begun, so that no other status can be sent. */
  get started(): boolean {
    return this.#status !== 0;
  }

  get taken(): boolean {
    return this.#inner.taken === true;
  }

  head(status: number, fields: ReplyFields): void {
    this.#inner.head(status, fields);
    if (status < 200) return;
    this.#status = status;
    if (!this.#atOnce) this.#firstByteMs = performance.now() - this.#startedMs;
  }

  /** What could be done at once was. Until then the clock is not looked at for the first byte: most hits end with it. */
  waits(): void {
    this.#atOnce = false;
    if (this.started) this.#firstByteMs = performance.now() - this.#startedMs;
  }

  write(buffers: readonly Buffer[]): Promise<void> | undefined {
    for (const buffer of buffers) this.#bytes += buffer.length;
    return this.#inner.write(buffers);
  }

  end(): void {
    this.#inner.end();
  }

  destroy(error: Error): void {
    this.#inner.destroy(error);
  }

  record(head: RequestHead, outcome: Outcome): AccessRecord {
    const nowMs = performance.now();
    const durationMs = nowMs - this.#startedMs;
    return {
      time: this.#time,
      remote: head.remote,
      method: head.method.slice(0, 32),
      target: redactTarget(head.target),
      protocol: head.version === '1.1' ? 'HTTP/1.1' : `HTTP/${head.version}`,
      status: this.#status,
      bytes: head.method === 'HEAD' ? 0 : this.#bytes,
      durationMs,
      firstByteMs: this.started ? (this.#firstByteMs ?? durationMs) : undefined,
      complete: outcome.complete,
      hit: outcome.cacheStatus?.hit ?? false,
      detail: outcome.source ?? outcome.cacheStatus?.detail,
      fwd: outcome.cacheStatus?.fwd,
      collapsed: outcome.cacheStatus?.collapsed ?? false,
      map: outcome.map,
      range: head.fields.isPlain ? undefined : head.fields.get('range')?.slice(0, textMax),
      userAgent: head.fields.get('user-agent')?.slice(0, textMax),
      error: outcome.error,
      releaseMs: outcome.learntMs === undefined ? undefined : performance.timeOrigin + nowMs - outcome.learntMs,
    };
  }
}

/** For input that no request could be made of. */
export function refusedRecord(remote: string, status: number): AccessRecord {
  return {
    ...{ time: Date.now(), remote, method: '-', target: '-', protocol: 'HTTP/1.1', status, bytes: 0 },
    ...{ durationMs: 0, firstByteMs: 0, complete: true, hit: false, detail: undefined, fwd: undefined },
    ...{ collapsed: false, map: undefined, range: undefined, userAgent: undefined, error: 'bad-request' },
    releaseMs: undefined,
  };
}

let last = { target: '', redacted: '' };

/** Viewers of a live channel ask for the same one after the other. */
export function redactTarget(target: string): string {
  if (target !== last.target) last = { target, redacted: redacted(target) };
  return last.redacted;
}

function redacted(target: string): string {
  const kept = target.length > targetMax ? target.slice(0, targetMax) : target;
  return kept.includes('?') || kept.includes('&') ? kept.replace(secretsInTarget, '$1redacted') : kept;
}
