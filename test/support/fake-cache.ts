import type { Answer, Cache, CacheRequest, CacheStatus, Content, MapPolicy, Source } from '../../src/cache/types.ts';
import { EddyError } from '../../src/errors.ts';
import { Fields } from '../../src/fields.ts';

export function policyOf(changes: Partial<MapPolicy> = {}): MapPolicy {
  return {
    name: 'default',
    prefix: '/',
    cors: false,
    queryIgnored: [],
    targetedFields: ['eddy-cache-control', 'cdn-cache-control'],
    segmentLifetimeSeconds: 60,
    heuristicFraction: 0.1,
    heuristicLifetimeSecondsMax: 60,
    negativeLifetimeSeconds: 1,
    staleWhileRevalidateSeconds: 0,
    staleIfErrorSeconds: 0,
    requestDirectives: true,
    ...changes,
  };
}

/** Bytes that differ at every offset in a way a shifted or swapped read would show. */
export function patternBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8) * 17 + (i >> 16)) & 0xff;
  return bytes;
}

export interface FakeContentOptions {
  /** Whether the length is known from the start; else once a reader has seen the end. */
  readonly lengthKnown?: boolean;
  /** Whether `peek` answers. */
  readonly inRam?: boolean;
  /** Size of the buffers `read` gives. */
  readonly step?: number;
  /** `read` throws once it would give this byte. */
  readonly failsAt?: number;
  /** Awaited before the byte at this offset is given. */
  readonly waitAt?: { readonly offset: number; readonly until: Promise<unknown> };
}

/** Content over one Buffer. `reading` counts open readers; `given` the bytes they were given. */
export class FakeContent implements Content {
  readonly #bytes: Buffer;
  readonly #options: FakeContentOptions;
  #lengthKnown: boolean;
  reading = 0;
  given = 0;

  constructor(bytes: Buffer, options: FakeContentOptions = {}) {
    this.#bytes = bytes;
    this.#options = options;
    this.#lengthKnown = options.lengthKnown ?? true;
  }

  get completeLength(): number | undefined {
    return this.#lengthKnown ? this.#bytes.length : undefined;
  }

  peek(first: number, last: number): readonly Buffer[] | undefined {
    if (this.#options.inRam === false || !this.#lengthKnown || this.#options.failsAt !== undefined) return undefined;
    if (last >= this.#bytes.length || first > last) throw new RangeError(`peek ${first}-${last}`);
    const middle = (first + last) >> 1;
    return [this.#bytes.subarray(first, middle + 1), this.#bytes.subarray(middle + 1, last + 1)];
  }

  sourceOf(): Source {
    return this.#options.inRam === false ? 'disk' : 'ram';
  }

  async *read(first: number, last: number | undefined, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { step = 16 * 1024, failsAt = Number.POSITIVE_INFINITY, waitAt } = this.#options;
    const end = Math.min(last ?? Number.POSITIVE_INFINITY, this.#bytes.length - 1);
    this.reading++;
    try {
      for (let at = first; at <= end; at += step) {
        const buffer = this.#bytes.subarray(at, Math.min(at + step, end + 1));
        if (waitAt !== undefined && at + buffer.length > waitAt.offset) await unlessAborted(waitAt.until, signal);
        signal.throwIfAborted();
        if (at + buffer.length > failsAt) throw new EddyError('origin-broken', 'broke off', { side: 'upstream' });
        this.given += buffer.length;
        yield buffer;
      }
      if (last === undefined || last >= this.#bytes.length - 1) this.#lengthKnown = true;
    } finally {
      this.reading--;
    }
  }
}

/** A Cache whose answers are set by path. What is not set is answered with an error by the HTTP side. */
export class FakeCache implements Cache {
  readonly requests: CacheRequest[] = [];
  /** Answers paths that are not set. */
  otherwise: (request: CacheRequest) => Answer | Promise<Answer> = () => {
    throw new EddyError('origin-refused', 'no such path', { side: 'upstream' });
  };
  readonly #answers = new Map<
    string,
    { answer: (request: CacheRequest) => Answer | Promise<Answer>; peeks: boolean }
  >();

  /** A stored response; given without waiting when `peeks`. */
  store(
    path: string,
    content: Content,
    {
      status = 200,
      fields = {},
      cacheStatus = { hit: true, ttlSeconds: 30 },
      peeks = true,
    }: { status?: number; fields?: Record<string, string>; cacheStatus?: CacheStatus; peeks?: boolean } = {},
  ): void {
    const answer: Answer = { kind: 'representation', status, fields: Fields.of(fields), cacheStatus, content };
    this.#answers.set(path, { answer: () => answer, peeks });
  }

  /** Anything else: a passed answer, an error, a wait. Never from `peek`. */
  on(path: string, answer: (request: CacheRequest) => Answer | Promise<Answer>): void {
    this.#answers.set(path, { answer, peeks: false });
  }

  peek(request: CacheRequest): Answer | undefined {
    const found = this.#answers.get(pathOf(request));
    if (found?.peeks !== true) return undefined;
    this.requests.push(request);
    const answer = found.answer(request);
    return answer instanceof Promise ? undefined : answer;
  }

  async answer(request: CacheRequest): Promise<Answer> {
    this.requests.push(request);
    const answer = this.#answers.get(pathOf(request))?.answer ?? this.otherwise;
    return answer(request);
  }

  purge(): Promise<number> {
    return Promise.resolve(0);
  }
}

export function passed(
  status: number,
  body: AsyncIterable<Buffer>,
  {
    fields = {},
    cacheStatus = { hit: false, fwd: 'method' },
  }: { fields?: Record<string, string>; cacheStatus?: CacheStatus } = {},
): Answer {
  return { kind: 'passed', status, fields: Fields.of(fields), cacheStatus, body };
}

export async function* chunksOf(...chunks: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk as string);
}

function pathOf({ target }: CacheRequest): string {
  return target.split('?')[0] ?? target;
}

function unlessAborted(until: Promise<unknown>, signal: AbortSignal): Promise<unknown> {
  return Promise.race([
    until,
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true })),
  ]);
}
