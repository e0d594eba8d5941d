import type { Loan } from '../cache/stored/loan.ts';
import type { RepresentationId } from '../cache/types.ts';
import { EddyError } from '../errors.ts';
import type { LentBytes, LentResponse, LoanNumber, ToThread } from './messages.ts';
import type { Port } from './port.ts';

const settleTimeoutMs = 5_000;

export interface LoanBookOptions {
  /** Keys lent at a time; the oldest goes first. */
  readonly keysMax: number;
  /** Bytes of shared memory that were lent, each time. */
  readonly onShared: (bytes: number) => void;
  /** Where in the arena these bytes are; undefined: not in it. */
  readonly offsetOf: (bytes: Buffer) => number | undefined;
}

/** What one thread was lent. Recalls of one turn travel together, and before anything else that is said after them. */
export class LoanBook {
  readonly #port: Port<ToThread>;
  readonly #options: LoanBookOptions;
  /** Oldest first. */
  readonly #keys = new Set<string>();
  readonly #pieces = new Map<RepresentationId, Set<number>>();
  /** What the thread may have views of: as long as it does, its place in the arena must not be used for anything else. */
  readonly #loans = new Map<LoanNumber, Buffer>();
  #lastLoan = 0;
  readonly #syncs = new Map<number, () => void>();
  #recalled: { keys: string[]; pieces: number[] } | undefined;
  #lastSync = 0;
  #closed = false;

  constructor(port: Port<ToThread>, options: LoanBookOptions) {
    this.#port = port;
    this.#options = options;
  }

  /** Lends all stored responses of the key, unless the thread has them. */
  lend({ key, variants }: Loan): void {
    if (this.#keys.has(key)) return;
    const [oldest] = this.#keys;
    if (this.#keys.size >= this.#options.keysMax && oldest !== undefined) this.recallKey(oldest);
    this.#keys.add(key);
    this.post({ kind: 'lend', key, variants: variants.map(lentResponse) });
  }

  /** Notes that the thread is given this piece, which is shared memory or in the arena. Returns it as it is to be sent. */
  lent(id: RepresentationId, first: number, bytes: Buffer): LentBytes {
    const { onShared, offsetOf } = this.#options;
    const offset = offsetOf(bytes);
    const pieces = this.#pieces.getOrInsertComputed(id, () => new Set());
    if (offset === undefined && !pieces.has(first)) onShared(bytes.length);
    pieces.add(first);
    if (offset === undefined) return bytes;
    const loan = ++this.#lastLoan;
    this.#loans.set(loan, bytes);
    return { loan, offset, length: bytes.length };
  }

  /** The thread has no view of these bytes any more. */
  returned(loan: LoanNumber): void {
    this.#loans.delete(loan);
  }

  recallKey(key: string): void {
    if (this.#keys.delete(key)) this.#recalls().keys.push(key);
  }

  recallPiece(id: RepresentationId, first: number): void {
    const pieces = this.#pieces.get(id);
    if (pieces === undefined || !pieces.delete(first)) return;
    if (pieces.size === 0) this.#pieces.delete(id);
    this.#recalls().pieces.push(id, first);
  }

  post(message: ToThread, transfer: readonly ArrayBuffer[] = []): void {
    if (this.#closed) return;
    this.#flush();
    this.#port.postMessage(message, transfer);
  }

  async settled(): Promise<void> {
    if (this.#closed) return;
    const sync = ++this.#lastSync;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = () => reject(new EddyError('internal', 'a viewer thread does not answer', { side: 'internal' }));
    const timer = setTimeout(late, settleTimeoutMs);
    this.#syncs.set(sync, resolve);
    this.post({ kind: 'sync', sync });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#syncs.delete(sync);
    }
  }

  synced(sync: number): void {
    this.#syncs.get(sync)?.();
  }

  /** The thread has ended, and with it all that it had. */
  close(): void {
    this.#closed = true;
    this.#loans.clear();
    for (const resolve of this.#syncs.values()) resolve();
  }

  #recalls(): { keys: string[]; pieces: number[] } {
    if (this.#recalled === undefined) {
      this.#recalled = { keys: [], pieces: [] };
      setImmediate(() => this.#flush());
    }
    return this.#recalled;
  }

  #flush(): void {
    const recalled = this.#recalled;
    if (recalled === undefined || this.#closed) return;
    this.#recalled = undefined;
    this.#port.postMessage({ kind: 'recall', ...recalled });
  }
}

function lentResponse({ target, stored }: Loan['variants'][number]): LentResponse {
  return { target, stored: { ...stored, fields: stored.fields.raw } };
}
