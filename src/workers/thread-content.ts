import { gatherBytesMax, peekBytesMax } from '../cache/content/content.ts';
import type { CacheRequest, Content, RepresentationId, Source } from '../cache/types.ts';
import { EddyError } from '../errors.ts';
import { Fields } from '../fields.ts';
import { conditionNames } from '../semantics/condition-names.ts';
import { sameRepresentation } from '../semantics/validators.ts';
import type { Ask } from './ask.ts';
import type { Asks } from './asks.ts';
import type { Borrowed } from './borrowed.ts';

export interface ThreadContentOptions {
  readonly borrowed: Borrowed;
  readonly asks: Asks;
  /** Bytes given to viewers that the main thread does not see. */
  readonly onServed: (source: Source, bytes: number) => void;
}

/** Which bytes: one stored response, as far as it is known here. */
interface ThreadContentOf {
  readonly request: CacheRequest;
  /** Undefined: nothing of it is lent. */
  readonly id: RepresentationId | undefined;
  readonly fields: Fields;
  readonly completeLength: number | undefined;
  /** Where the first byte comes from that is not lent. */
  readonly source: Source;
  /** By which the main thread gives the rest; undefined: none was made. */
  readonly ask: Ask | undefined;
}

/** The bytes of one representation in a thread that talks to viewers: what is lent, and the rest from the main thread. */
export class ThreadContent implements Content {
  readonly #of: ThreadContentOf;
  readonly #options: ThreadContentOptions;
  #completeLength: number | undefined;
  #gathered: { readonly first: number; readonly last: number; readonly buffers: readonly Buffer[] } | undefined;

  constructor(of: ThreadContentOf, options: ThreadContentOptions) {
    this.#of = of;
    this.#options = options;
    this.#completeLength = of.completeLength;
  }

  get completeLength(): number | undefined {
    return this.#completeLength;
  }

  /** Whether all of first .. last is lent; what is not too long is kept for the `peek` that follows. */
  gather(first: number, last: number): boolean {
    const { id } = this.#of;
    if (id === undefined) return false;
    if (last - first >= gatherBytesMax) return this.#options.borrowed.has(id, first, last);
    const buffers = this.#options.borrowed.take(id, first, last);
    if (buffers !== undefined) this.#gathered = { first, last, buffers };
    return buffers !== undefined;
  }

  peek(first: number, last: number): readonly Buffer[] | undefined {
    const { id } = this.#of;
    if (id === undefined || last - first >= peekBytesMax) return undefined;
    const gathered = this.#gathered;
    const known = gathered?.first === first && gathered.last === last;
    const buffers = known ? gathered.buffers : this.#options.borrowed.take(id, first, last);
    if (buffers !== undefined) this.#options.onServed('ram', last - first + 1);
    return buffers;
  }

  sourceOf(first: number): Source {
    const { id, source } = this.#of;
    if (this.#gathered?.first === first) return 'ram';
    return id !== undefined && this.#options.borrowed.has(id, first, first) ? 'ram' : source;
  }

  async *read(first: number, last: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
    const { borrowed, onServed } = this.#options;
    const { id } = this.#of;
    const end = last ?? (this.#completeLength === undefined ? Number.MAX_SAFE_INTEGER : this.#completeLength - 1);
    let offset = first;
    while (offset <= end && !signal.aborted) {
      const bytes = id === undefined ? undefined : borrowed.takeFrom(id, offset, end);
      if (bytes === undefined) break;
      offset += bytes.length;
      onServed('ram', bytes.length);
      yield bytes;
    }
    if (offset > end) return;
    const ask = await this.#askFor(offset, last);
    yield* ask.read({ first: offset, last }, (completeLength) => {
      this.#completeLength ??= completeLength;
    });
  }

  /** The ask that this came by while it is open; else a new one, which must lead to the same bytes. */
  async #askFor(first: number, last: number | undefined): Promise<Ask> {
    const { ask, request, fields, id } = this.#of;
    if (ask !== undefined && !ask.left) return ask;
    const again = this.#options.asks.open(restOf(request, first, last));
    const head = await again.head;
    const same =
      head.kind === 'representation' &&
      ((id !== undefined && head.id === id) ||
        (head.completeLength === this.#completeLength && sameRepresentation(fields, new Fields(head.fields))));
    if (same) return again;
    again.leave();
    throw new EddyError('origin-changed', `${request.target} changed while it was read`, { side: 'upstream' });
  }
}

/** Decides nothing any more, so it carries no condition and no wish about freshness. */
const dropped = [...conditionNames, 'cache-control', 'pragma'];

/** A request for first .. last of what the request before was answered with. */
function restOf(request: CacheRequest, first: number, last: number | undefined): CacheRequest {
  const { target, scheme, authority, policy, signal } = request;
  const fields = request.fields.without(dropped).with('Range', `bytes=${first}-${last ?? ''}`);
  return { method: 'GET', target, scheme, authority, policy, signal, fields };
}
