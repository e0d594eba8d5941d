import { cacheKey } from '../cache/key.ts';
import { AgedFields } from '../cache/rules/forwarded-fields.ts';
import { freshSeconds } from '../cache/rules/reuse.ts';
import { select } from '../cache/stored/select.ts';
import type { Answer, Cache, CacheRequest, Source } from '../cache/types.ts';
import { EddyError } from '../errors.ts';
import { Fields } from '../fields.ts';
import { hasPlayerReport } from '../semantics/player-report.ts';
import { firstSpan, RangeReader } from '../semantics/range.ts';
import { Asks } from './asks.ts';
import { Borrowed } from './borrowed.ts';
import type { LentMemory } from './lent-memory.ts';
import type { LentBytes, ToMain, ToThread } from './messages.ts';
import type { Port } from './port.ts';
import { ThreadContent, type ThreadContentOptions } from './thread-content.ts';

interface RelayedCacheOptions {
  readonly now: () => number;
  /** Bytes given to viewers from what is lent; those that the main thread gives are counted there. */
  readonly onServed: (source: Source, bytes: number) => void;
  /** Bytes of shared memory that came, each time they come. */
  readonly onShared: (bytes: number) => void;
  /** Where pieces are lent from the arena; undefined: there is none. */
  readonly memory: LentMemory | undefined;
}

/**
 * The cache as a thread that talks to viewers has it: fresh hits of what the main thread has lent are answered here, by
 * the same rules on the same stored responses; anything else is asked of the main thread, and its answer passed on.
 */
export class RelayedCache implements Cache {
  readonly #port: Port<ToMain>;
  readonly #options: RelayedCacheOptions;
  readonly #contentOptions: ThreadContentOptions;
  readonly #borrowed: Borrowed;
  readonly #asks: Asks;
  readonly #aged = new AgedFields();
  readonly #ranges = new RangeReader();

  constructor(port: Port<ToMain>, options: RelayedCacheOptions) {
    this.#port = port;
    this.#options = options;
    this.#borrowed = new Borrowed((keys, pieces) => port.postMessage({ kind: 'used', keys, pieces }));
    this.#asks = new Asks(port);
    this.#contentOptions = { borrowed: this.#borrowed, asks: this.#asks, onServed: options.onServed };
  }

  /** Asks that are open, and pieces that are lent. */
  get sizes(): { readonly asks: number; readonly pieces: number } {
    return { asks: this.#asks.size, pieces: this.#borrowed.pieces };
  }

  peek(request: CacheRequest): Answer | undefined {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    // The bytes are lent all the same.
    if (hasPlayerReport(request)) return undefined;
    const variants = this.#borrowed.variants(request.key ?? cacheKey(request));
    const representation = variants && select(variants, request.fields);
    if (representation === undefined) return undefined;
    const nowMs = this.#options.now();
    const terms = representation.terms(request.policy);
    const ttlSeconds = freshSeconds(terms, request, nowMs);
    if (ttlSeconds === undefined) return undefined;
    const { stored } = representation;
    const { id, status, fields, completeLength } = stored;
    const content = new ThreadContent(
      { request, id, fields, completeLength, source: 'ram', ask: undefined },
      this.#contentOptions,
    );
    if (!this.#holdsWanted(content, request)) return undefined;
    const cacheStatus = { hit: true, ttlSeconds };
    return { kind: 'representation', status, fields: this.#aged.of(stored, terms, nowMs), cacheStatus, content };
  }

  async answer(request: CacheRequest): Promise<Answer> {
    const ask = this.#asks.open(request);
    const head = await ask.head;
    const { status, cacheStatus } = head;
    const fields = new Fields(head.fields);
    if (head.kind === 'passed') {
      const body = ask.read({ first: 0, last: undefined });
      return { kind: 'passed', status, fields, cacheStatus, body };
    }
    const { id, completeLength, source } = head;
    const content = new ThreadContent({ request, id, fields, completeLength, source, ask }, this.#contentOptions);
    return { kind: 'representation', status, fields, cacheStatus, content, learntMs: head.learntMs };
  }

  /** Only the main thread purges. */
  purge(): Promise<number> {
    return Promise.reject(new EddyError('internal', 'a viewer thread cannot purge', { side: 'internal' }));
  }

  receive(message: ToThread): void {
    switch (message.kind) {
      case 'lend':
        return this.#borrowed.lend(message.key, message.variants);
      case 'recall':
        return this.#borrowed.recall(message.keys, message.pieces);
      case 'sync':
        return this.#port.postMessage({ kind: 'synced', sync: message.sync });
      case 'piece': {
        const { id, first, bytes, from, length } = message;
        const piece = this.#lent(bytes);
        this.#borrowed.lendPiece(id, first, piece);
        return this.#asks.receive(message, piece.subarray(from, from + length));
      }
      default:
        return this.#asks.receive(message);
    }
  }

  #lent(bytes: LentBytes): Buffer {
    if (bytes instanceof Uint8Array) {
      this.#options.onShared(bytes.length);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    const { memory } = this.#options;
    if (memory === undefined) throw new Error('lent from an arena that this thread has not got');
    return memory.take(bytes);
  }

  /** Whether every byte that the request wants is lent. */
  #holdsWanted(content: ThreadContent, { method, fields }: CacheRequest): boolean {
    const { completeLength } = content;
    if (method === 'HEAD') return true;
    if (completeLength === undefined) return false;
    const range = firstSpan(this.#ranges.of(method, fields), completeLength);
    return range === undefined || range.last < range.first || content.gather(range.first, range.last);
  }
}
