import { because, EddyError } from '../../errors.ts';
import type { Span } from '../../semantics/content-range.ts';
import { evaluatePreconditions, type Verdict } from '../../semantics/preconditions.ts';
import { firstSpan, RangeReader } from '../../semantics/range.ts';
import type { Filler } from '../fill/filler.ts';
import { type Places, secure } from '../fill/places.ts';
import { unlessAborted } from '../flight/shared-wait.ts';
import { AgedFields } from '../rules/forwarded-fields.ts';
import type { Representation } from '../stored/representation.ts';
import type { Answer, CacheRequest, CacheStatus, Source, Tier } from '../types.ts';
import { type ContentOptions, RepresentationContent } from './content.ts';
import { RecentView } from './recent-view.ts';

interface StoredAnswersOptions {
  readonly places: Places;
  readonly filler: Filler;
  readonly ram: Tier;
  /** Undefined when the disk tier is off. */
  readonly disk: Tier | undefined;
  readonly now: () => number;
  /** Bytes given to viewers, by where they came from. */
  readonly onServed: (source: Source, bytes: number) => void;
  /** Asks for all of it anew: from `missingFrom` on it has a gap, and no strong validator to fill that by. */
  readonly refetch: (asked: Asked, missingFrom: number) => Promise<Answer | undefined>;
}

/** One request for what is stored under that key, and what is known of its way so far. */
export interface Asked {
  readonly key: string;
  readonly request: CacheRequest;
  readonly status: CacheStatus;
}

/** No byte: its last is before its first. */
const nothing: Span = { first: 0, last: -1 };

/** Answers from stored responses: at once when all that is wanted is at hand, else once what is missing is on its way. */
export class StoredAnswers {
  readonly #options: StoredAnswersOptions;
  readonly #contentOptions: ContentOptions;
  readonly #aged = new AgedFields();
  readonly #ranges = new RangeReader();

  constructor(options: StoredAnswersOptions) {
    const { places, filler, ram, onServed } = options;
    this.#options = options;
    this.#contentOptions = { places, filler, ram, onServed, views: new RecentView() };
  }

  /** The bytes that the request wants, when none of them has to be waited for, nor can get lost for good. */
  atHand(representation: Representation, request: CacheRequest): RepresentationContent | undefined {
    const content = this.#content(representation, request);
    return this.#holds(content, this.#wanted(content)) && content.dependable ? content : undefined;
  }

  /** The answer with these bytes, whatever is at hand of them. */
  of(content: RepresentationContent, cacheStatus: CacheStatus, nowMs = this.#options.now()): Answer {
    const { representation, request, preconditions } = content;
    const { stored } = representation;
    const fields = this.#aged.of(stored, representation.terms(request.policy), nowMs);
    return { kind: 'representation', status: stored.status, fields, cacheStatus, content, preconditions };
  }

  /** The answer from a response that is being stored: its head is there, its bytes follow. */
  arriving(representation: Representation, request: CacheRequest, status: CacheStatus): Answer {
    return this.of(this.#content(representation, request), status);
  }

  /**
   * The answer from a stored response; what is missing of it must prove to be of one version before the head goes out.
   * Undefined: what was found is no longer there, look again.
   */
  async answer(
    representation: Representation,
    request: CacheRequest,
    status: CacheStatus,
  ): Promise<Answer | undefined> {
    const content = this.#content(representation, request);
    const wanted = this.#wanted(content);
    if (await this.#isAtHand(content, wanted)) return this.of(content, status);
    if (wanted === undefined) {
      if (request.originForbidden !== true) return this.of(content, status);
      throw new EddyError('only-if-cached', `${request.target} is not stored in full`, { side: 'downstream' });
    }
    const { places, filler, refetch } = this.#options;
    const { fwd = 'partial' } = status;
    const { key, strongValidator } = representation;
    if (strongValidator === undefined)
      return refetch({ key, request, status: { hit: false, fwd } }, places.firstGap(representation, wanted));
    if (request.originForbidden === true)
      throw new EddyError('only-if-cached', `${request.target} is not stored`, { side: 'downstream' });
    filler.fill(representation, wanted, request);
    if (!(await because(fwd, this.#begins(content, wanted.first)))) return undefined;
    return this.of(content, { ...status, hit: false, fwd });
  }

  async #isAtHand(content: RepresentationContent, wanted: Span | undefined): Promise<boolean> {
    if (!this.#holds(content, wanted) && !(await this.#reopens(content))) return false;
    if (content.dependable || wanted === undefined) return true;
    return secure(content.representation, wanted, this.#contentOptions);
  }

  /** Waits until the byte there comes from the version that is stored. False: it does not. */
  async #begins({ representation, request }: RepresentationContent, offset: number): Promise<boolean> {
    const place = this.#options.places.locate(representation, offset);
    if (place.kind !== 'flight') return true;
    try {
      await unlessAborted(place.flight.head, request.signal);
      return true;
    } catch (error) {
      if (error instanceof EddyError && (error.code === 'origin-changed' || error.code === 'aborted')) return false;
      throw error;
    }
  }

  /** The disk tier does not keep in mind where everything lies: what seems to be missing may be there. */
  async #reopens(content: RepresentationContent): Promise<boolean> {
    const reopening = this.#options.disk?.reopen?.(content.representation.id);
    await reopening;
    return reopening !== undefined && this.#holds(content, this.#wanted(content));
  }

  /** Whether every byte of that is at hand or on its way. */
  #holds(content: RepresentationContent, wanted: Span | undefined): boolean {
    if (wanted !== undefined && (wanted.last < wanted.first || content.gather(wanted.first, wanted.last))) return true;
    const { representation, request } = content;
    const { originForbidden = false } = request;
    if (wanted === undefined) return representation.flights.size > 0 && !originForbidden;
    const { places } = this.#options;
    const { first, last } = wanted;
    return originForbidden
      ? places.holdsItself(representation, first, last)
      : places.holds(representation, first, last);
  }

  /** The bytes that go into the answer, or the first range of them; undefined while the complete length is not known. */
  #wanted(content: RepresentationContent): Span | undefined {
    const { request, completeLength } = content;
    const { method, fields } = request;
    if (method === 'HEAD') return nothing;
    if (fields.isPlain) return completeLength === undefined ? undefined : { first: 0, last: completeLength - 1 };
    if (fields.isConditional && this.#preconditions(content) !== 'perform') return nothing;
    if (completeLength === undefined) return undefined;
    return firstSpan(this.#ranges.of(method, fields), completeLength) ?? nothing;
  }

  #content(representation: Representation, request: CacheRequest): RepresentationContent {
    return new RepresentationContent(representation, request, this.#contentOptions);
  }

  /** By the fields that the answer has, and once: the verdict goes along with it. */
  #preconditions(content: RepresentationContent): Verdict {
    const { representation, request } = content;
    const { stored } = representation;
    // RFC 9110 section 13.2.1: they count only where the answer would be 200 without them.
    if (stored.status !== 200) return 'perform';
    const fields = this.#aged.of(stored, representation.terms(request.policy), this.#options.now());
    content.preconditions ??= evaluatePreconditions({ request: request.fields, response: fields });
    return content.preconditions;
  }
}
