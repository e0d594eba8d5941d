import { EddyError } from '../errors.ts';
import { contentLengthOf } from '../semantics/content-length.ts';
import { parseContentRange } from '../semantics/content-range.ts';
import { validatorOf } from '../semantics/validators.ts';
import { backoffMs, type Clock, wait } from './attempt-plan.ts';
import type { OriginAnswer } from './attempts.ts';
import { aborted, malformed } from './failure.ts';
import type { ResponseHead } from './response-head.ts';

/** Bounds on the requests made to complete one body. */
const resumeBounds = {
  resumesMax: 8,
  /** In a row, without a single byte. */
  withoutProgressMax: 2,
} as const;

/** The bytes that a response said it would bring, and what identifies them. */
interface ResumablePart {
  readonly first: number;
  readonly last: number;
  readonly completeLength: number;
  /** Strong validator, as If-Range takes it. */
  readonly validator: string;
}

interface ResumeOptions {
  readonly part: ResumablePart;
  /** Sends the request again with these fields (name, value, name, value) in place of its conditions and range. */
  readonly reopen: (fields: readonly string[]) => Promise<OriginAnswer>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called once, when no further request will be made. */
  readonly onFinished: () => void;
}

/** The part of the representation in an answer to GET, if it could be asked for again from the middle; else undefined. */
export function resumablePart(head: ResponseHead): ResumablePart | undefined {
  const validator = validatorOf(head.fields).strong;
  if (validator === undefined) return undefined;
  if (head.status === 206) {
    const range = parseContentRange(head.fields.get('Content-Range'));
    if (range?.completeLength === undefined) return undefined;
    return { first: range.first, last: range.last, completeLength: range.completeLength, validator };
  }
  const length = head.status === 200 ? contentLengthOf(head.fields) : undefined;
  return length ? { first: 0, last: length - 1, completeLength: length, validator } : undefined;
}

/**
 * A body that goes on where it broke off: the rest is asked for by Range and If-Range (RFC 9110 section 13.1.5), and
 * only a 206 with exactly that rest of the same representation is taken. The reader sees one body.
 * Ends early with EddyError: origin-changed, or what broke the body for the last time.
 */
export class ResumedBody implements AsyncIterableIterator<Buffer, undefined> {
  readonly #options: ResumeOptions;
  #current: AsyncIterator<Buffer, undefined>;
  #position: number;
  #resumedAt = -1;
  #resumes = 0;
  #withoutProgress = 0;
  #finished = false;

  constructor(body: AsyncIterator<Buffer, undefined>, options: ResumeOptions) {
    this.#current = body;
    this.#options = options;
    this.#position = options.part.first;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    while (!this.#finished) {
      try {
        const result = await this.#current.next();
        this.#check(result);
        return result;
      } catch (error) {
        await this.#resume(error).catch((final) => {
          this.#finish();
          throw final;
        });
      }
    }
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.#finish();
    await this.#current.return?.();
    return { done: true, value: undefined };
  }

  get #complete(): boolean {
    return this.#position > this.#options.part.last;
  }

  /** Throws when the body ends too early or goes on for too long. */
  #check(result: IteratorResult<Buffer, undefined>): void {
    const { first, last } = this.#options.part;
    if (!result.done) this.#position += result.value.length;
    else if (this.#complete) this.#finish();
    else throw malformed('the origin', `only ${this.#position - first} of ${last - first + 1} bytes`);
    if (this.#position > last + 1) throw malformed('the origin', `more than ${last - first + 1} bytes`);
  }

  /** Opens the rest of the body, or throws what the reader is to get. */
  async #resume(cause: unknown): Promise<void> {
    let error = cause;
    for (;;) {
      if (!resumableError(error) || this.#complete) throw error;
      if (this.#position !== this.#resumedAt) this.#withoutProgress = 0;
      if (this.#withoutProgress >= resumeBounds.withoutProgressMax || this.#resumes >= resumeBounds.resumesMax)
        throw error;
      this.#resumedAt = this.#position;
      this.#resumes++;
      this.#withoutProgress++;
      try {
        this.#current = await this.#reopen();
        return;
      } catch (next) {
        error = next;
      }
    }
  }

  async #reopen(): Promise<AsyncIterator<Buffer, undefined>> {
    const { part, reopen, signal, clock, random } = this.#options;
    if (this.#withoutProgress > 1) await wait(backoffMs(this.#withoutProgress - 1, random), { clock, signal });
    if (signal.aborted) throw aborted(signal);
    const range = `bytes=${this.#position}-${part.last}`;
    const { head, body, upstream } = await reopen(['Range', range, 'If-Range', part.validator]);
    const error = mismatch(head, { ...part, first: this.#position, origin: upstream.origin });
    if (error === undefined && !this.#finished) return body;
    body.discard();
    if (error !== undefined) throw error;
    return body;
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#options.onFinished();
  }
}

function resumableError(error: unknown): error is EddyError {
  return error instanceof EddyError && error.side === 'upstream' && error.retryable;
}

/** Why that answer cannot continue the body; undefined when it does. */
function mismatch(head: ResponseHead, wanted: ResumablePart & { origin: string }): EddyError | undefined {
  const { origin, validator, first, last, completeLength } = wanted;
  const { status, fields } = head;
  // Whoever has trouble answering may answer the next time; anybody else has answered for good.
  if (status >= 500 || status === 429) return malformed(origin, `the status ${status} when asked for the rest`);
  const etag = fields.get('ETag');
  const modified = fields.get('Last-Modified');
  // A 206 to If-Range repeats ETag, but may leave Last-Modified out (RFC 9110 section 15.3.7).
  const same = validator.startsWith('"') ? etag === validator : modified === undefined || modified === validator;
  if (status === 206 && same) {
    const range = parseContentRange(fields.get('Content-Range'));
    const fits = range?.first === first && range.last === last && range.completeLength === completeLength;
    return fits ? undefined : changed(origin, `Content-Range: ${fields.get('Content-Range')}`);
  }
  if (status === 200 && validator.startsWith('"') && same) {
    const message = `${origin} sent the whole when asked for the rest`;
    return new EddyError('origin-broken', message, { side: 'upstream' });
  }
  return changed(origin, `status ${status}, ETag ${etag}, Last-Modified ${modified}`);
}

function changed(origin: string, found: string): EddyError {
  const message = `${origin} has another representation than the one begun (${found})`;
  return new EddyError('origin-changed', message, { side: 'upstream' });
}
