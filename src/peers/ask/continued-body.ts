import { createHash, type Hash } from 'node:crypto';
import type { Supply, SupplyRequest } from '../../cache/supply.ts';
import { Fields } from '../../fields.ts';
import { conditionNames } from '../../semantics/condition-names.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { parseContentRange, type Span } from '../../semantics/content-range.ts';
import { PeerError } from '../failure.ts';

interface ContinuedBodyOptions {
  readonly request: SupplyRequest;
  readonly status: number;
  readonly fields: Fields;
  /** Where the rest comes from: another peer, or the origin. Undefined: nowhere. */
  readonly next: (request: SupplyRequest) => Promise<Supply | undefined>;
}

/**
 * A body from a peer whose rest comes from elsewhere when the peer breaks off: as a range under the same strong ETag; or,
 * without one, from a second whole answer, if that begins with the very bytes that were given. Anything else stays the
 * failure it is. Wrong bytes are continued only if none was given before: those would not be to be trusted either.
 */
export class ContinuedBody implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly #options: ContinuedBodyOptions;
  readonly #etag: string | undefined;
  readonly #hash: Hash | undefined;
  #body: AsyncIterator<Buffer>;
  #given = 0;
  #continued = false;

  constructor(body: AsyncIterable<Buffer>, options: ContinuedBodyOptions) {
    this.#options = options;
    this.#body = body[Symbol.asyncIterator]();
    const etag = options.fields.get('etag');
    this.#etag = etag?.startsWith('"') ? etag : undefined;
    this.#hash = this.#etag === undefined ? createHash('sha256') : undefined;
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    try {
      return this.#take(await this.#body.next());
    } catch (error) {
      if (
        this.#continued ||
        !(error instanceof PeerError) ||
        error.failure === 'aborted' ||
        (error.failure === 'corrupt' && this.#given > 0)
      )
        throw error;
      this.#continued = true;
      const range = this.#restRange();
      if (range !== undefined && range.first > range.last) return { done: true, value: undefined };
      this.#body = await this.#rest(error, range);
      return this.#take(await this.#body.next());
    }
  }

  async return(): Promise<IteratorResult<Buffer>> {
    await this.#body.return?.();
    return { done: true, value: undefined };
  }

  #take(result: IteratorResult<Buffer>): IteratorResult<Buffer> {
    if (!result.done && !this.#continued) {
      this.#given += result.value.length;
      this.#hash?.update(result.value);
    }
    return result;
  }

  /** The bytes after those that were given. Throws `failure` when they cannot be had. */
  async #rest(failure: PeerError, range: Span | undefined): Promise<AsyncIterator<Buffer>> {
    const { request, status, next } = this.#options;
    if (range === undefined && status !== 200) throw failure;
    const added =
      range === undefined ? [] : ['Range', `bytes=${range.first}-${range.last}`, 'If-Range', this.#etag ?? ''];
    const fields = new Fields([...request.fields.without(conditionNames).raw, ...added]);
    const supply = await next({ ...request, fields });
    if (supply === undefined) throw failure;
    const body = supply.body[Symbol.asyncIterator]();
    try {
      if (range !== undefined && this.#isRest(supply, range)) return body;
      if (supply.status !== 200 || (this.#etag !== undefined && supply.fields.get('etag') !== this.#etag))
        throw failure;
      const from = parseContentRange(this.#options.fields.get('content-range'))?.first ?? 0;
      if (from > 0) throw failure;
      return await this.#skipGiven(body, failure);
    } catch (error) {
      void body.return?.()?.catch(() => {});
      throw error;
    }
  }

  /** Undefined without a strong ETag or an end. Empty, its first after its last, when all was given. */
  #restRange(): Span | undefined {
    const { status, fields } = this.#options;
    if (this.#etag === undefined) return undefined;
    const part = status === 206 ? parseContentRange(fields.get('content-range')) : undefined;
    if (part !== undefined) return { first: part.first + this.#given, last: part.last };
    const length = status === 200 ? contentLengthOf(fields) : undefined;
    return length === undefined ? undefined : { first: this.#given, last: length - 1 };
  }

  #isRest(supply: Supply, range: Span): boolean {
    const got = parseContentRange(supply.fields.get('content-range'));
    const same = supply.status === 206 && supply.fields.get('etag') === this.#etag;
    return same && got?.first === range.first && got.last === range.last;
  }

  async #skipGiven(body: AsyncIterator<Buffer>, failure: PeerError): Promise<AsyncIterator<Buffer>> {
    const hash = this.#hash && createHash('sha256');
    let skipped = 0;
    let rest: Buffer | undefined;
    while (skipped < this.#given) {
      const { done, value } = await body.next();
      if (done) throw failure;
      const again = value.subarray(0, this.#given - skipped);
      hash?.update(again);
      skipped += again.length;
      if (again.length < value.length) rest = value.subarray(again.length);
    }
    if (hash !== undefined && this.#hash !== undefined && !hash.digest().equals(this.#hash.digest())) throw failure;
    return rest === undefined ? body : startingWith(rest, body);
  }
}

function startingWith(first: Buffer, body: AsyncIterator<Buffer>): AsyncIterator<Buffer> {
  let given = false;
  return {
    next: () => {
      if (given) return body.next();
      given = true;
      return Promise.resolve({ done: false, value: first });
    },
    return: async () => {
      await body.return?.();
      return { done: true, value: undefined };
    },
  };
}
