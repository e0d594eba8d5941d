import type { CacheRequest } from '../cache/types.ts';
import { viewerGone } from '../errors.ts';
import type { Fields } from '../fields.ts';
import type { AnswerHead, AskNumber, ToMain, WireError } from './messages.ts';
import type { Port } from './port.ts';
import { Reading } from './reading.ts';
import { fromWire, toWire } from './wire-error.ts';

interface AskOptions {
  readonly port: Port<ToMain>;
  readonly onLeft: () => void;
}

/** The main thread hears that bytes were taken when there are so many, fewer than it may have on their way. */
const tellBytes = 64 * 1024;

/**
 * One request that the main thread answers, as the thread of its viewer sees it. It ends when the viewer is gone, when
 * its one body has been read, on failure, or when nobody has read of it for a while.
 */
export class Ask {
  readonly number: AskNumber;
  /** Rejects with EddyError. */
  readonly head: Promise<AnswerHead>;
  readonly #head = Promise.withResolvers<AnswerHead>();
  readonly #request: CacheRequest;
  readonly #options: AskOptions;
  #content: AsyncIterator<Uint8Array> | undefined;
  #answered: AnswerHead['kind'] | undefined;
  #left = false;
  #reading: Reading | undefined;
  #readings = 0;

  constructor(number: AskNumber, request: CacheRequest, options: AskOptions) {
    this.number = number;
    this.#request = request;
    this.#options = options;
    this.head = this.#head.promise;
    this.head.catch(() => {});
    const { signal } = request;
    if (signal.aborted) queueMicrotask(this.#onAbort);
    else signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Answered, and nobody reads. */
  get idle(): boolean {
    return this.#answered !== undefined && this.#reading === undefined;
  }

  get left(): boolean {
    return this.#left;
  }

  answered(head: AnswerHead): void {
    this.#answered = head.kind;
    this.#head.resolve(head);
  }

  failed(error: WireError): void {
    const failure = fromWire(error);
    this.#head.reject(failure);
    this.#reading?.fail(failure);
    this.leave();
  }

  inform(status: number, fields: Fields): void {
    this.#request.onInformational?.(status, fields);
  }

  /** The main thread wants the next part of the request's content. */
  sendContent(): void {
    const { body } = this.#request;
    if (body === undefined) return;
    this.#content ??= body[Symbol.asyncIterator]();
    this.#content.next().then(
      ({ done, value }) => this.#post({ kind: 'content', ask: this.number, ...(done !== true && { bytes: value }) }),
      (error: unknown) => this.#post({ kind: 'content', ask: this.number, error: toWire(error) }),
    );
  }

  /** The reading that goes by this number, if it still goes on. */
  reading(number: number): Reading | undefined {
    return this.#reading?.number === number ? this.#reading : undefined;
  }

  /** Bytes first .. last of the answer's content. Nobody else may be reading. `onEnd` gets its complete length. */
  async *read(
    { first, last }: { first: number; last: number | undefined },
    onEnd?: (completeLength: number | undefined) => void,
  ): AsyncGenerator<Buffer, void, undefined> {
    const reading = new Reading(++this.#readings);
    this.#reading = reading;
    let untold = 0;
    this.#post({ kind: 'read', ask: this.number, read: reading.number, first, last });
    try {
      for (;;) {
        const bytes = await reading.next();
        if (bytes === undefined) return onEnd?.(reading.completeLength);
        yield bytes;
        untold += bytes.length;
        if (untold < tellBytes) continue;
        this.#post({ kind: 'taken', ask: this.number, read: reading.number, bytes: untold });
        untold = 0;
      }
    } finally {
      if (!reading.ended) this.#post({ kind: 'stop', ask: this.number, read: reading.number });
      if (this.#reading === reading) this.#reading = undefined;
      // What is passed on can be read once.
      if (this.#answered === 'passed') this.leave();
    }
  }

  leave(): void {
    if (this.#left) return;
    this.#post({ kind: 'leave', ask: this.number });
    this.#left = true;
    this.#request.signal.removeEventListener('abort', this.#onAbort);
    void Promise.resolve(this.#content?.return?.()).catch(() => {});
    this.#options.onLeft();
  }

  readonly #onAbort = (): void => {
    const gone = viewerGone();
    this.#head.reject(gone);
    this.#reading?.fail(gone);
    this.leave();
  };

  #post(message: ToMain): void {
    if (!this.#left) this.#options.port.postMessage(message);
  }
}
