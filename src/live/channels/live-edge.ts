import type { Answer, Cache, CacheRequest } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import type { Clock } from '../clock.ts';
import type { Announced, Manifest } from '../manifest.ts';
import { retryRequest } from '../message/mirrored-request.ts';

/** The newest of what a manifest names: these may be asked for before every origin has them. */
const newestMax = 96;
/** How long a request for something that is not to be had yet is held: so many segments, within these. */
const holdSegments = 3;
const holdMsMax = 12_000;
const holdMsMin = 1_000;
/** Between two looks whether it is there: a share of the segment, within these. */
const lookShare = 1 / 12;
const lookMsMin = 100;
const lookMsMax = 500;
/** Resources that are waited for at once; beyond, a 404 is a 404. */
const looksMax = 256;
const firstLookMs = 50;

/** What of a followed playlist may be asked for a little early. */
export interface Expected {
  readonly announced: Announced;
  readonly segmentSeconds: number;
}

interface EdgeAsked {
  readonly key: string;
  /** What a followed playlist names by that target. */
  readonly expects: () => Expected | undefined;
}

/** By target at the edge: the newest things a manifest names. */
export function expectedOf(
  { announced, targetSeconds, updateSeconds }: Manifest,
  toTarget: (url: string) => string | undefined,
): ReadonlyMap<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const each of announced.slice(-newestMax)) {
    if (each.role === 'playlist' || each.role === 'key') continue;
    const target = toTarget(each.url);
    if (target !== undefined) expected.set(target, { announced: each, segmentSeconds: targetSeconds ?? updateSeconds });
  }
  return expected;
}

/**
 * At the live edge a 404 means "not yet", and an error that the next try may go well: of what a playlist names, one request
 * looks again now and then, on behalf of all who ask for it, until it is there or three segments' time has passed.
 */
export class LiveEdge {
  readonly #inner: Cache;
  readonly #clock: Clock;
  /** By key and range, who asks first; resolves when that is answered, to whether its viewer left before it was. */
  readonly #first = new Map<string, Promise<boolean>>();
  #looks = 0;
  #holding = 0;

  constructor(inner: Cache, clock: Clock) {
    this.#inner = inner;
    this.#clock = clock;
  }

  /** Requests that wait for something to be there. */
  get holding(): number {
    return this.#holding;
  }

  /**
   * The inner cache's answer; for what a playlist names and is not to be had just now, a later one. Hundreds may ask in the
   * moment in which it comes to be there: one finds out for all. Throws EddyError.
   */
  async answer(request: CacheRequest, about: EdgeAsked): Promise<Answer> {
    // What wants more than the cache has is nobody to wait for.
    if (request.fields.has('cache-control') || request.fields.has('pragma')) return this.#ask(request, about);
    const name = nameOf(request, about.key);
    const first = this.#first.get(name);
    if (first !== undefined)
      return (await this.#counted(first)) ? this.answer(request, about) : this.#inner.answer(request);
    const asking = this.#ask(request, about);
    const over = asking.then(
      () => false,
      () => request.signal.aborted,
    );
    this.#first.set(name, over);
    void over.then(() => this.#first.delete(name));
    return asking;
  }

  async #ask(request: CacheRequest, { expects }: EdgeAsked): Promise<Answer> {
    const answer = await this.#inner.answer(request).catch((error: unknown) => failureOf(error));
    const failed = answer instanceof EddyError;
    const expected = failed || mayComeYet(answer) ? expects() : undefined;
    const later = expected && (await this.#later(request, expected));
    if (failed && later === undefined) throw answer;
    if (!failed && later !== undefined && answer.kind === 'passed') discard(answer);
    return later ?? (answer as Answer);
  }

  /** The answer to a request that failed, once there is a better one; undefined when none came in time. */
  async #later(request: CacheRequest, expected: Expected): Promise<Answer | undefined> {
    if (this.#looks >= looksMax) return undefined;
    this.#looks++;
    const looking = this.#look(request, expected).finally(() => this.#looks--);
    return (await this.#counted(looking)) && !request.signal.aborted ? this.#inner.answer(request) : undefined;
  }

  async #counted<T>(waiting: Promise<T>): Promise<T> {
    this.#holding++;
    try {
      return await waiting;
    } finally {
      this.#holding--;
    }
  }

  async #look(request: CacheRequest, { segmentSeconds, announced }: Expected): Promise<boolean> {
    const startMs = this.#clock.nowMs();
    const segmentMs = segmentSeconds * 1000;
    const endMs = startMs + Math.min(holdMsMax, Math.max(holdMsMin, holdSegments * segmentMs));
    const { availableAtMs = startMs } = announced;
    if (availableAtMs > endMs) return false;
    const lookMs = Math.min(lookMsMax, Math.max(lookMsMin, segmentMs * lookShare));
    // The first time soon: most often it was only asked for a moment too early.
    for (
      let atMs = Math.max(availableAtMs, startMs + firstLookMs);
      atMs <= endMs;
      atMs = this.#clock.nowMs() + lookMs
    ) {
      await this.#until(atMs);
      if (await this.#isThere(request)) return true;
    }
    return false;
  }

  async #isThere(request: CacheRequest): Promise<boolean> {
    const controller = new AbortController();
    const cancel = this.#clock.after(holdMsMax, () => controller.abort());
    try {
      const answer = await this.#inner.answer(retryRequest(request, controller.signal));
      const there = answer.status === 200 || answer.status === 206;
      // One that may not be stored is for whoever asks for it next.
      if (answer.kind === 'passed') controller.abort();
      return there;
    } catch {
      return false;
    } finally {
      cancel();
    }
  }

  #until(atMs: number): Promise<void> {
    return new Promise((resolve) => this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), resolve));
  }
}

/** Parts of one resource come to be there at different times. */
function nameOf({ fields }: CacheRequest, key: string): string {
  const range = fields.get('range');
  return range === undefined ? key : `${key} ${range}`;
}

/** At the live edge a 404 means "not yet", and the next try may do better than a 5xx. */
export function mayComeYet({ status }: Answer): boolean {
  return status === 404 || status >= 500;
}

/** A failure of the origin's or a peer's side; any other is thrown on. */
function failureOf(error: unknown): EddyError {
  if (error instanceof EddyError && (error.side === 'upstream' || error.side === 'peer')) return error;
  throw error;
}
