import type { Cache, MapPolicy } from '../cache/types.ts';
import { EddyError } from '../errors.ts';
import type { Lender, LendingCache, LendingTier } from './lender.ts';
import type { LoanBook } from './loan-book.ts';
import type { AskMessage, AskNumber, ToMain, ToThread } from './messages.ts';
import type { Port } from './port.ts';
import { ServedAsk } from './served-ask.ts';
import { toWire } from './wire-error.ts';

interface AskServerOptions {
  readonly cache: Cache;
  readonly lending: LendingCache;
  readonly ram: LendingTier;
  readonly lender: Lender;
  readonly policies: () => readonly MapPolicy[];
}

/** Where the main thread serves what one of the other threads cannot answer by itself. */
export class AskServer {
  readonly #options: AskServerOptions;
  readonly #book: LoanBook;
  readonly #open = new Map<AskNumber, ServedAsk>();

  constructor(port: Port<ToThread>, options: AskServerOptions) {
    this.#options = options;
    this.#book = options.lender.open(port);
  }

  /** Asks that are open. */
  get size(): number {
    return this.#open.size;
  }

  receive(message: ToMain): void {
    switch (message.kind) {
      case 'ask':
        return this.#serve(message);
      case 'content':
        return this.#open.get(message.ask)?.content(message);
      case 'read':
        return this.#open.get(message.ask)?.read(message);
      case 'taken':
        return this.#open.get(message.ask)?.taken(message);
      case 'stop':
        return this.#open.get(message.ask)?.stop(message.read);
      case 'leave':
        return this.#leave(message.ask);
      case 'used':
        return this.#used(message);
      case 'returned':
        return this.#book.returned(message.loan);
      case 'synced':
        return this.#book.synced(message.sync);
      default:
        return message satisfies never;
    }
  }

  /** The thread has ended: nothing of what it asked for is wanted any more. */
  close(): void {
    for (const ask of this.#open.keys()) this.#leave(ask);
    this.#options.lender.close(this.#book);
  }

  #serve(message: AskMessage): void {
    const policy = this.#options.policies().find(({ name }) => name === message.map);
    if (policy === undefined) {
      const error = new EddyError('internal', `map ${message.map} is no longer configured`, { side: 'internal' });
      return this.#book.post({ kind: 'failed', ask: message.ask, error: toWire(error) });
    }
    const served = new ServedAsk(message, { ...this.#options, policy, book: this.#book });
    this.#open.set(message.ask, served);
    void served.run().then((open) => {
      if (!open) this.#open.delete(message.ask);
    });
  }

  #leave(ask: AskNumber): void {
    this.#open.get(ask)?.leave();
    this.#open.delete(ask);
  }

  #used({ keys, pieces }: Extract<ToMain, { kind: 'used' }>): void {
    for (const key of keys) this.#options.lending.touch(key);
    for (let i = 0; i + 1 < pieces.length; i += 2) this.#options.ram.read(pieces[i] as number, pieces[i + 1] as number);
  }
}
