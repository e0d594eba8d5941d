import { type Agent, type IncomingMessage, request } from 'node:http';
import { type CellMedia, type KnownBytes, lengthOf, playlistPath } from './cell-media.ts';

/** One answer as a viewer had it. */
export interface Fetched {
  readonly path: string;
  /** 0: no answer. */
  readonly status: number;
  readonly startedMs: number;
  /** From the request to the first body byte, and to the last; both 0 when it did not come to that. */
  readonly firstByteMs: number;
  readonly wholeMs: number;
  readonly bytes: number;
  readonly etag: string;
  readonly cacheStatus: string;
  /** Undefined: the whole body came and every byte is the origin's for that validator. */
  readonly fault: { readonly kind: 'wrong' | 'status' | 'cut'; readonly detail: string } | undefined;
  /** Of the playlist only. */
  readonly text: string;
}

export interface FetchOptions {
  readonly agent: Agent | false;
  readonly known: KnownBytes;
  readonly media: CellMedia;
  readonly range?: { readonly first: number; readonly last: number } | undefined;
  readonly timeoutMs?: number;
}

/** One request for something that cell-media.ts names, checked byte for byte as it comes. Never rejects. */
export function fetchChecked(base: string, path: string, options: FetchOptions): Promise<Fetched> {
  const { agent, range, timeoutMs = 15_000 } = options;
  const startedMs = performance.now();
  const headers = range === undefined ? {} : { Range: `bytes=${range.first}-${range.last}` };
  return new Promise((resolve) => {
    const check = new BodyOfAnswer(path, options);
    let answer: IncomingMessage | undefined;
    let firstByteMs = 0;
    const end = (fault: Fetched['fault']) => {
      clearTimeout(timer);
      if (fault?.kind === 'wrong') outgoing.destroy();
      const { status, etag, cacheStatus } = aboutOf(answer);
      const wholeMs = performance.now() - startedMs;
      const { bytes, text } = check;
      resolve({ path, status, startedMs, firstByteMs, wholeMs, bytes, etag, cacheStatus, fault, text });
    };
    const outgoing = request(base + path, { agent, headers }, (response) => {
      answer = response;
      const refused = check.begin(response);
      if (refused !== undefined) {
        response.resume();
        return end({ kind: 'status', detail: refused });
      }
      response.on('data', (chunk: Buffer) => {
        if (firstByteMs === 0) firstByteMs = performance.now() - startedMs;
        const wrong = check.take(chunk);
        if (wrong !== undefined) end({ kind: 'wrong', detail: wrong });
      });
      response.on('error', (error) => end({ kind: 'cut', detail: String(error) }));
      response.on('end', () => end(check.end()));
    });
    const timer = setTimeout(() => outgoing.destroy(new Error(`not whole within ${timeoutMs} ms`)), timeoutMs);
    outgoing.on('error', (error) => end({ kind: 'cut', detail: String(error) }));
    outgoing.end();
  });
}

function aboutOf(answer: IncomingMessage | undefined): { status: number; etag: string; cacheStatus: string } {
  const { etag = '', 'cache-status': cacheStatus = '' } = answer?.headers ?? {};
  return { status: answer?.statusCode ?? 0, etag, cacheStatus: String(cacheStatus) };
}

/** The body that an answer must have, by its path, its ETag and the range that was asked for. */
class BodyOfAnswer {
  bytes = 0;
  text = '';
  readonly #path: string;
  readonly #options: FetchOptions;
  #expected: Buffer | undefined;

  constructor(path: string, options: FetchOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Why the answer is none. */
  begin({ statusCode: status, headers }: IncomingMessage): string | undefined {
    const { range, media, known } = this.#options;
    const wanted = range === undefined ? 200 : 206;
    if (status !== wanted) return `${this.#path} was answered with ${status}, not ${wanted}`;
    if (this.#path === playlistPath) return undefined;
    const version = Number(/^"v(\d+)"$/.exec(headers.etag ?? '')?.[1]);
    const length = lengthOf(this.#path, media);
    if (Number.isNaN(version) || length === undefined) return `${this.#path} has no such ETag as ${headers.etag}`;
    const whole = known.of(this.#path, { length, version });
    this.#expected = range === undefined ? whole : whole.subarray(range.first, range.last + 1);
    return undefined;
  }

  /** What is wrong with it. */
  take(chunk: Buffer): string | undefined {
    const at = this.bytes;
    this.bytes += chunk.length;
    if (this.#path === playlistPath) this.text += chunk.toString();
    if (this.#expected === undefined || this.#expected.subarray(at, this.bytes).equals(chunk)) return undefined;
    return `${this.#path}: other bytes than the origin's from ${at} on`;
  }

  end(): Fetched['fault'] {
    const length = this.#expected?.length ?? this.bytes;
    if (this.bytes === length) return undefined;
    return { kind: 'cut', detail: `${this.#path} ended after ${this.bytes} of ${length} bytes` };
  }
}
