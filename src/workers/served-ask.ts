import type { Loan } from '../cache/stored/loan.ts';
import {
  type Answer,
  type Cache,
  type CacheRequest,
  type MapPolicy,
  pieceBytes,
  type RepresentationAnswer,
  type Source,
} from '../cache/types.ts';
import { discard } from '../discard.ts';
import { viewerGone } from '../errors.ts';
import { Fields } from '../fields.ts';
import { PieceMemory } from '../piece-memory.ts';
import { firstSpan, rangesOf } from '../semantics/range.ts';
import { type Lender, type LendingCache, type LendingTier, lendable } from './lender.ts';
import type { LoanBook } from './loan-book.ts';
import type { AnswerHead, AskMessage, ToMain } from './messages.ts';
import { RequestContent } from './request-content.ts';
import { toWire } from './wire-error.ts';

type Message<Kind extends ToMain['kind']> = Extract<ToMain, { kind: Kind }>;
interface ServedAskOptions {
  readonly cache: Cache;
  readonly lending: LendingCache;
  readonly ram: LendingTier;
  readonly lender: Lender;
  readonly policy: MapPolicy;
  readonly book: LoanBook;
}

/** How much of one answer may be on its way. The thread's viewer takes the next one when this one is out. */
const windowBytes = pieceBytes;

/** Methods that change nothing, so that nothing has to be recalled before they are answered. */
const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

interface Reading {
  readonly number: number;
  readonly controller: AbortController;
  unconsumed: number;
  wake: (() => void) | undefined;
}

/** One ask of a thread, from its request to the last byte of the answer. */
export class ServedAsk {
  readonly #message: AskMessage;
  readonly #options: ServedAskOptions;
  readonly #controller = new AbortController();
  readonly #content: RequestContent | undefined;
  #answer: Answer | undefined;
  #loan: Loan | undefined;
  #reading: Reading | undefined;

  constructor(message: AskMessage, options: ServedAskOptions) {
    const { ask, hasBody } = message;
    this.#message = message;
    this.#options = options;
    if (hasBody) this.#content = new RequestContent(() => options.book.post({ kind: 'pull', ask }));
  }

  /** Resolves once it is answered: false, if it failed. */
  async run(): Promise<boolean> {
    const { ask, method } = this.#message;
    const { cache, book, lender, lending } = this.#options;
    const request = this.#request();
    try {
      const answer = await cache.answer(request);
      if (!safe.has(method)) await lender.settled().catch(() => {});
      if (this.#controller.signal.aborted) {
        if (answer.kind === 'passed') discard(answer);
        return false;
      }
      this.#answer = answer;
      if (mayLend(answer)) this.#loan = lending.loan(answer.content);
      if (this.#loan !== undefined) book.lend(this.#loan);
      book.post({ kind: 'answered', ask, head: headOf(answer, request, this.#loan) });
      return true;
    } catch (error) {
      book.post({ kind: 'failed', ask, error: toWire(error) });
      return false;
    }
  }

  content(part: Message<'content'>): void {
    this.#content?.take(part);
  }

  read(message: Message<'read'>): void {
    const answer = this.#answer;
    if (answer === undefined) return;
    this.#reading?.controller.abort();
    const controller = new AbortController();
    const reading: Reading = { number: message.read, controller, unconsumed: 0, wake: undefined };
    this.#reading = reading;
    controller.signal.addEventListener('abort', () => reading.wake?.());
    void this.#give(answer, message, reading);
  }

  taken({ read, bytes }: Message<'taken'>): void {
    const reading = this.#reading;
    if (reading?.number !== read) return;
    reading.unconsumed -= bytes;
    if (reading.unconsumed < windowBytes) reading.wake?.();
  }

  stop(read: number): void {
    if (this.#reading?.number === read) this.#reading.controller.abort();
  }

  leave(): void {
    const error = viewerGone();
    this.#controller.abort(error);
    this.#content?.fail(error);
    this.#reading?.controller.abort();
    if (this.#answer?.kind === 'passed' && this.#reading === undefined) discard(this.#answer);
  }

  async #give(answer: Answer, { first, last }: Message<'read'>, reading: Reading): Promise<void> {
    const { ask } = this.#message;
    const { book } = this.#options;
    const { signal } = reading.controller;
    const content = answer.kind === 'representation' ? answer.content : undefined;
    const source = answer.kind === 'passed' ? answer.body : answer.content.read(first, last, signal);
    let offset = first;
    try {
      for await (const bytes of source) {
        if (signal.aborted) return;
        const { length } = bytes;
        this.#post(bytes, offset, reading);
        PieceMemory.of(bytes)?.letGo();
        offset += length;
        reading.unconsumed += length;
        while (reading.unconsumed >= windowBytes && !signal.aborted) await wakened(reading);
      }
      if (signal.aborted) return;
      book.post({ kind: 'ended', ask, read: reading.number, completeLength: content?.completeLength });
    } catch (error) {
      if (!signal.aborted) book.post({ kind: 'failed', ask, error: toWire(error) });
    }
  }

  #post(bytes: Buffer, offset: number, { number: read }: Reading): void {
    const { ask } = this.#message;
    const { book, ram } = this.#options;
    const { length } = bytes;
    const loan = this.#loan;
    const piece = loan === undefined ? undefined : lendable(loan, { offset, length }, ram);
    if (loan === undefined || piece === undefined) {
      const copy = new Uint8Array(bytes);
      return book.post({ kind: 'bytes', ask, read, bytes: copy }, [copy.buffer]);
    }
    const { first, bytes: shared } = piece;
    const lent = book.lent(loan.id, first, shared);
    book.post({ kind: 'piece', ask, read, id: loan.id, first, bytes: lent, from: offset - first, length });
  }

  #request(): CacheRequest {
    const { ask, method, target, scheme, authority, fields, throughputKbps } = this.#message;
    const { policy, book } = this.#options;
    return {
      ...{ method, target, scheme, authority, policy },
      fields: new Fields(fields),
      signal: this.#controller.signal,
      throughputKbps: () => throughputKbps,
      onInformational: (status, { raw }) => book.post({ kind: 'informed', ask, status, fields: raw }),
      ...(this.#content && { body: this.#content }),
    };
  }
}

/** What is asked for once is not lent: that would be for nothing, and cost shared memory. */
function mayLend(answer: Answer): answer is RepresentationAnswer {
  return answer.kind === 'representation' && answer.cacheStatus.hit && answer.askAgain !== true;
}

function headOf(answer: Answer, request: CacheRequest, loan: Loan | undefined): AnswerHead {
  const { status, cacheStatus } = answer;
  const fields = answer.fields.raw;
  if (answer.kind === 'passed') return { kind: 'passed', status, fields, cacheStatus };
  const { completeLength } = answer.content;
  return {
    ...{ kind: 'representation', status, fields, cacheStatus, completeLength },
    source: sourceOf(answer, request) ?? (cacheStatus.hit ? 'ram' : 'origin'),
    id: loan?.id,
    learntMs: answer.learntMs,
  };
}

/** Where the first byte that the request wants comes from. */
function sourceOf({ content }: RepresentationAnswer, { method, fields }: CacheRequest): Source | undefined {
  const { completeLength } = content;
  const range = completeLength === undefined ? undefined : firstSpan(rangesOf(method, fields), completeLength);
  return content.sourceOf(range?.first ?? 0);
}

function wakened(reading: Reading): Promise<void> {
  return new Promise((resolve) => {
    // Named first (docs/glossary.md).
    const wake = (): void => {
      reading.wake = undefined;
      resolve();
    };
    reading.wake = wake;
  });
}
