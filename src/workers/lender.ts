import type { Loan } from '../cache/stored/loan.ts';
import type { Content, PieceSpan, RepresentationId } from '../cache/types.ts';
import { LoanBook, type LoanBookOptions } from './loan-book.ts';
import type { ToThread } from './messages.ts';
import type { Port } from './port.ts';

/** The cache as stored responses are lent from it. */
export interface LendingCache {
  /** What may be lent of a content that it gave. */
  loan(content: Content): Loan | undefined;
  /** Stored responses of this key were used. */
  touch(key: string): void;
}

/** The RAM tier as pieces are lent from it. */
export interface LendingTier {
  find(id: RepresentationId, offset: number): PieceSpan | undefined;
  /** Counts as a use of the piece. */
  read(id: RepresentationId, first: number): Buffer | undefined;
  /** As `read`, in memory that threads can share: the arena's, or shared memory. */
  share(id: RepresentationId, first: number): Buffer | undefined;
}

/**
 * What the main thread has lent to the others: stored responses and the pieces of the RAM tier. A piece is one memory,
 * however many threads have it. Whatever changes or goes here is recalled before anything that follows from it is said.
 */
export class Lender {
  readonly #options: LoanBookOptions;
  readonly #books = new Set<LoanBook>();

  constructor(options: LoanBookOptions) {
    this.#options = options;
  }

  /** Stored responses of this key are other ones now. */
  readonly changed = (key: string): void => {
    for (const book of this.#books) book.recallKey(key);
  };

  /** The RAM tier no longer keeps this piece. */
  readonly dropped = (id: RepresentationId, first: number): void => {
    for (const book of this.#books) book.recallPiece(id, first);
  };

  /** For a thread that begins. */
  open(port: Port<ToThread>): LoanBook {
    const book = new LoanBook(port, this.#options);
    this.#books.add(book);
    return book;
  }

  /** The thread has ended. */
  close(book: LoanBook): void {
    this.#books.delete(book);
    book.close();
  }

  /** Resolves when every thread has heeded what was recalled so far. Rejects with EddyError when one does not in time. */
  async settled(): Promise<void> {
    await Promise.all([...this.#books].map((book) => book.settled()));
  }
}

/** The piece that holds all of offset .. offset + length - 1, if it may be lent. */
export function lendable(
  { id, unserved }: Loan,
  { offset, length }: { offset: number; length: number },
  ram: LendingTier,
): { first: number; bytes: Buffer } | undefined {
  const span = ram.find(id, offset);
  if (span === undefined || span.first > offset || span.first + span.length < offset + length) return undefined;
  if (unserved.touches(span.first, span.first + span.length - 1)) return undefined;
  const bytes = ram.share(id, span.first);
  return bytes === undefined ? undefined : { first: span.first, bytes };
}
