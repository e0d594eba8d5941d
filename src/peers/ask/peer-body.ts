import { PeerError } from '../failure.ts';
import type { BodyCheck } from '../integrity/verify.ts';
import type { PeerExchange } from '../link/peer-exchange.ts';

interface PeerBodyOptions {
  readonly check: BodyCheck;
  /** Once: with nothing when all bytes came and are right. */
  readonly onEnded: (error: PeerError | undefined) => void;
  /** Bytes as they are given, with their place in the body. */
  readonly onBytes: (bytes: Buffer, position: number) => void;
}

/** A body from a peer as the cache reads it: checked before it is given. Throws PeerError when it breaks. */
export class PeerBody implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly #exchange: PeerExchange;
  readonly #body: AsyncIterator<Buffer>;
  readonly #options: PeerBodyOptions;
  #given = 0;
  #ended = false;

  constructor(exchange: PeerExchange, options: PeerBodyOptions) {
    this.#exchange = exchange;
    this.#body = exchange[Symbol.asyncIterator]();
    this.#options = options;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    try {
      while (!this.#ended) {
        const { done, value } = await this.#body.next();
        const bytes = done ? this.#options.check.end() : this.#options.check.push(value, this.#exchange.digest);
        if (done) this.#end(undefined);
        if (bytes !== undefined) return this.#give(bytes);
      }
      return { done: true, value: undefined };
    } catch (error) {
      const failure = error instanceof PeerError ? error : new PeerError('broken', 'a body from a peer broke', error);
      void this.#body.return?.();
      this.#end(failure);
      throw failure;
    }
  }

  /** The reader has copied what it was given. */
  taken(bytes: Buffer): void {
    this.#exchange.taken(bytes);
  }

  async return(): Promise<IteratorResult<Buffer>> {
    void this.#body.return?.();
    this.#end(new PeerError('aborted', 'not wanted any more'));
    return { done: true, value: undefined };
  }

  #give(bytes: Buffer): IteratorResult<Buffer> {
    this.#options.onBytes(bytes, this.#given);
    this.#given += bytes.length;
    return { done: false, value: bytes };
  }

  #end(error: PeerError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#options.onEnded(error);
  }
}
