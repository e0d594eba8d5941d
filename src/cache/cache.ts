import { discard } from '../discard.ts';
import { EddyError } from '../errors.ts';
import { ExpiringSet } from '../expiring-set.ts';
import type { ForwardReason } from '../semantics/forward-reason.ts';
import { evaluatePreconditions } from '../semantics/preconditions.ts';
import { type ContentOptions, RepresentationContent } from './content/content.ts';
import { RecentView } from './content/recent-view.ts';
import { passedAnswer, sharedAnswer, verbatimAnswer } from './fetch/answers.ts';
import { Collapse, unlessAborted } from './fetch/collapse.ts';
import { type Outcome, ResponseFetch } from './fetch/response-fetch.ts';
import { Filler } from './fill/filler.ts';
import { secure } from './fill/place.ts';
import type { KeptPiece } from './fill/tier-writer.ts';
import { cacheKey, originTarget } from './key.ts';
import { parseCacheControl } from './rules/directives.ts';
import { AgedFields, passedRequestFields } from './rules/forwarded-fields.ts';
import { headFreshens } from './rules/freshen.ts';
import { invalidates } from './rules/invalidate.ts';
import { RangeFieldReader, requestedRangeOf, within } from './rules/requested-range.ts';
import { freshSeconds, judge, mayServeOnError, type Verdict } from './rules/reuse.ts';
import { varyOf } from './rules/vary.ts';
import { Entries } from './stored/entries.ts';
import type { Loan } from './stored/loan.ts';
import { purgeKeys } from './stored/purge.ts';
import { RecentPurges } from './stored/recent-purges.ts';
import type { Representation } from './stored/representation.ts';
import { select } from './stored/select.ts';
import type { Supplier, Supply } from './supply.ts';
import type {
  Answer,
  Cache,
  CacheRequest,
  CacheStatus,
  Content,
  EntryStore,
  MapPolicy,
  Purge,
  Source,
  Tier,
} from './types.ts';

export interface VideoCacheOptions {
  readonly ram: Tier;
  /** Undefined when the disk tier is off. */
  readonly disk: { readonly tier: Tier; readonly entries: EntryStore } | undefined;
  /** In the order they are asked: peers, then origin. */
  readonly suppliers: readonly Supplier[];
  readonly policies: () => readonly MapPolicy[];
  /** Stored responses kept in memory with their metadata, some 2 KB each; the rest is on disk only. */
  readonly entriesMax: number;
  readonly now: () => number;
  /** Bytes given to viewers, by where they came from. */
  readonly onServed: (source: Source, bytes: number) => void;
  /** Pieces as they are offered to the tiers. */
  readonly onKept?: (piece: KeptPiece) => void;
  /** Validations that ran behind a viewer's back and failed. */
  readonly onBackgroundError: (error: unknown) => void;
  /** The stored responses of this key are other ones now, or have other metadata. */
  readonly onChanged?: (key: string) => void;
  /** An unsafe request changed what these targets lead to: other caches of this origin may want to know. */
  readonly onInvalidated?: (targets: readonly string[]) => void;
}

interface Asked {
  readonly key: string;
  readonly request: CacheRequest;
  readonly status: CacheStatus;
}

/** A change at the origin sends a request back to the start, this often. */
const roundsMax = 4;
const backgroundTimeoutMs = 60_000;
const unshareable = { forMs: 30_000, namesMax: 10_000 };
/** Bytes that were missing turned out to be of another version, which came instead. */
const refetched = { hit: false, fwd: 'partial', stored: true } as const;

/** The path of a request: stored and fresh? else validate or fetch, once for all who ask; then the bytes, from anywhere. */
export class VideoCache implements Cache {
  readonly #options: VideoCacheOptions;
  readonly #entries: Entries;
  readonly #filler: Filler;
  readonly #fetch: ResponseFetch;
  readonly #collapse = new Collapse<Outcome>((outcome) => {
    if (outcome.kind === 'passed') discard(outcome.supply);
  });
  /** Names of fetches whose last response could not be stored: such requests do not wait for each other. */
  readonly #unshareable: ExpiringSet;
  readonly #purges: RecentPurges;
  readonly #aged = new AgedFields();
  readonly #contentOptions: ContentOptions;
  readonly #ranges = new RangeFieldReader();

  constructor(options: VideoCacheOptions) {
    const tiers = options.disk === undefined ? [options.ram] : [options.ram, options.disk.tier];
    this.#options = options;
    const { entriesMax, onChanged } = options;
    this.#entries = new Entries({ tiers, store: options.disk?.entries, entriesMax, onChanged });
    this.#filler = new Filler({
      tiers,
      suppliers: options.suppliers,
      now: options.now,
      onKept: options.onKept,
      onChanged: (representation, request, supply) => this.#changed(representation, request, supply),
      onSettled: (representation, outcome) => this.#settled(representation, outcome),
    });
    this.#contentOptions = {
      filler: this.#filler,
      ram: options.ram,
      onServed: options.onServed,
      views: new RecentView(),
    };
    this.#unshareable = new ExpiringSet({ ...unshareable, nowMs: options.now });
    this.#purges = new RecentPurges(options.now);
    this.#fetch = new ResponseFetch(this.#filler, this.#entries, { purges: this.#purges });
  }

  peek(request: CacheRequest): Answer | undefined {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const variants = this.#entries.peek(request.key ?? cacheKey(request));
    const representation = variants && select(variants, request.fields);
    if (representation === undefined) return undefined;
    const nowMs = this.#options.now();
    const ttlSeconds = freshSeconds(representation.terms(request.policy), request, nowMs);
    if (ttlSeconds === undefined) return undefined;
    const content = this.#content(representation, request);
    if (!this.#holdsWanted(content) || !content.dependable) return undefined;
    return this.#answerOf(content, { hit: true, ttlSeconds }, nowMs);
  }

  async answer(request: CacheRequest): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return this.#pass(request, 'method');
    const key = cacheKey(request);
    for (let round = 0; round < roundsMax; round++) {
      const answer = await this.#find(key, request);
      if (answer === undefined) continue;
      // A later round finds what an earlier one fetched: not a hit.
      const { cacheStatus } = answer;
      return round === 0 || !cacheStatus.hit ? answer : { ...answer, cacheStatus: { ...cacheStatus, ...refetched } };
    }
    throw new EddyError('origin-changed', `${request.target} keeps changing at the origin`, {
      side: 'upstream',
      retryable: true,
      fwd: refetched.fwd,
    });
  }

  async purge(which: Purge, signal: AbortSignal): Promise<number> {
    let purged = 0;
    this.#purges.add(which, { policies: this.#options.policies(), atMs: this.#options.now() });
    for await (const key of this.#keysOf(which, signal)) purged += await this.#entries.removeKey(key);
    return purged;
  }

  /** A purge that was to be made at that time, for what was stored or made before it. Resolves to how many that were. */
  async purgeOlder(which: Purge, { beforeMs, signal }: { beforeMs: number; signal: AbortSignal }): Promise<number> {
    let purged = 0;
    this.#purges.add(which, { policies: this.#options.policies(), atMs: beforeMs });
    for await (const key of this.#keysOf(which, signal))
      if (await this.#entries.someOlder(key, beforeMs)) purged += await this.#entries.removeKey(key);
    return purged;
  }

  /** What is stored for these targets is validated before its next use: an unsafe request went through another cache. */
  async invalidate(targets: readonly string[]): Promise<void> {
    for (const policy of this.#options.policies())
      for (const target of targets) await this.#invalidate(cacheKey({ target, policy }), target);
  }

  /** What another thread needs to give this content by itself from now on; undefined where it is not stored. */
  loan(content: Content): Loan | undefined {
    if (!(content instanceof RepresentationContent)) return undefined;
    const { representation } = content;
    const { id, key, unserved } = representation;
    const variants = this.#entries.peek(key);
    return variants?.includes(representation) === true ? { id, key, variants, unserved } : undefined;
  }

  /** Stored responses of this key were used elsewhere. */
  touch(key: string): void {
    this.#entries.peek(key);
  }

  /** Drops what that peer gave of, as far as it is in memory: it gave wrong bytes. Returns how many responses. */
  purgeGivenBy(peerId: string): number {
    const given = this.#entries.live().filter((each) => each.givers.has(peerId));
    for (const each of given) this.#entries.remove(each);
    return given.length;
  }

  #keysOf(which: Purge, signal: AbortSignal): AsyncIterable<string> {
    return purgeKeys(which, { entries: this.#entries, policies: this.#options.policies(), signal });
  }

  /** Undefined: what was found is no longer there, look again. */
  async #find(key: string, request: CacheRequest): Promise<Answer | undefined> {
    const variants = await this.#entries.find(key, request.target);
    const representation = select(variants, request.fields);
    if (representation === undefined) {
      const fwd = variants.length > 0 ? 'vary-miss' : 'miss';
      return because(fwd, this.#miss(key, request, { fwd, other: variants[0] }));
    }
    const verdict = this.#judge(representation, request);
    switch (verdict.use) {
      case 'fresh':
        return this.#fromStored(representation, request, { hit: true, ttlSeconds: verdict.ttlSeconds });
      case 'stale-while-revalidate':
        this.#validateBehind(key, request, representation);
        return this.#fromStored(representation, request, { hit: true, ttlSeconds: verdict.ttlSeconds });
      case 'revalidate': {
        const { fwd = 'stale' } = verdict;
        return because(fwd, this.#validate(key, request, { stale: representation, fwd }));
      }
      default:
        return verdict.use satisfies never;
    }
  }

  /** Answers from a stored response; before its head goes out, what is missing of it must prove to be of one version. */
  async #fromStored(
    representation: Representation,
    request: CacheRequest,
    status: CacheStatus,
  ): Promise<Answer | undefined> {
    const { completeLength, strongValidator } = representation;
    const range =
      completeLength === undefined || isWithoutContent(representation, request)
        ? undefined
        : within(requestedRangeOf(request.method, request.fields), completeLength);
    const content = this.#content(representation, request);
    if (this.#holdsWanted(content) || (await this.#reopens(content))) {
      const secured =
        content.dependable || range === undefined || (await secure(representation, range, this.#contentOptions));
      if (secured) return this.#answer(representation, request, status);
    }
    if (request.originForbidden === true && completeLength === undefined)
      throw new EddyError('only-if-cached', `${request.target} is not stored in full`, { side: 'downstream' });
    if (range === undefined) return this.#answer(representation, request, status);
    if (strongValidator === undefined) {
      const missingFrom = this.#filler.firstGap(representation, range);
      return this.#miss(representation.key, request, { fwd: status.fwd ?? 'partial', missingFrom });
    }
    if (request.originForbidden === true)
      throw new EddyError('only-if-cached', `${request.target} is not stored`, { side: 'downstream' });
    this.#filler.fill(representation, range, request);
    const first = this.#filler.locate(representation, range.first);
    try {
      if (first.kind === 'flight')
        await because(status.fwd ?? 'partial', unlessAborted(first.flight.head, request.signal));
    } catch (error) {
      if (error instanceof EddyError && error.code === 'origin-changed') return undefined;
      if (error instanceof EddyError && error.code === 'aborted') return undefined;
      throw error;
    }
    return this.#answer(representation, request, { ...status, hit: false, fwd: status.fwd ?? 'partial' });
  }

  async #miss(
    key: string,
    request: CacheRequest,
    { fwd, missingFrom, other }: { fwd: ForwardReason; missingFrom?: number; other?: Representation | undefined },
  ): Promise<Answer | undefined> {
    if (onlyIfCached(request))
      throw new EddyError('only-if-cached', `${request.target} is not stored`, { side: 'downstream' });
    if (request.method === 'HEAD') return this.#pass(request, fwd);
    const asking = { key, request, ...(missingFrom !== undefined && { missingFrom }) };
    const status: CacheStatus = { hit: false, fwd };
    if (!mayShare(request) || this.#unshareable.has(sharedName(key, request))) {
      // A peer asks for itself; what this node wants without its peers it does ask for.
      if (request.peersForbidden === true && request.ahead !== true)
        throw new EddyError('only-if-cached', `${request.target} may not be stored`, { side: 'downstream' });
      const alone = { ...asking, request: { ...request, peersForbidden: true } };
      return this.#conclude(await this.#fetch.fetch(alone, request.signal), { key, request, status });
    }
    const name = sharedName(key, request, other);
    const { leader, outcome } = await this.#collapse.run(name, request.signal, (signal) =>
      this.#fetch.fetch(asking, signal),
    );
    return this.#collapsed(outcome, { key, request, leader, status });
  }

  async #validate(
    key: string,
    request: CacheRequest,
    { stale, fwd }: { stale: Representation; fwd: 'stale' | 'request' },
  ): Promise<Answer | undefined> {
    if (onlyIfCached(request))
      throw new EddyError('only-if-cached', `${request.target} is stale`, { side: 'downstream' });
    const status: CacheStatus = { hit: false, fwd };
    try {
      const name = `${request.method} ${stale.id} ${key}`;
      const { leader, outcome } = await this.#collapse.run(name, request.signal, (signal) =>
        this.#fetch.fetch({ key, request, stale }, signal),
      );
      const failed = outcome.kind === 'shared' || (outcome.kind === 'passed' && outcome.supply.status >= 500);
      if (!failed || !this.#mayServeOnError(stale, request))
        return this.#collapsed(outcome, { key, request, leader, status });
      if (leader && outcome.kind === 'passed') discard(outcome.supply);
      return this.#fromStored(stale, request, { ...status, fwdStatus: outcome.supply.status });
    } catch (error) {
      const upstream = error instanceof EddyError && error.side === 'upstream';
      if (!upstream || !this.#mayServeOnError(stale, request)) throw error;
      return this.#fromStored(stale, request, status);
    }
  }

  /** What a fetch shared by several requests means for this one. */
  async #collapsed(
    outcome: Outcome,
    asked: Asked & { leader: boolean; variant?: boolean },
  ): Promise<Answer | undefined> {
    if (asked.leader) return this.#conclude(outcome, asked);
    const { key, request } = asked;
    const onServed = this.#countFor(request);
    const status: CacheStatus = { ...asked.status, collapsed: true };
    if (outcome.kind === 'shared') return sharedAnswer(outcome, status, { method: request.method, onServed });
    if (outcome.kind === 'freshened') return this.#fromStored(outcome.representation, request, status);
    // It was asked for while this request waited, so it answers this request even if it is stale already.
    if (outcome.kind === 'stored' && select([outcome.representation], request.fields) !== undefined)
      return this.#fromStored(outcome.representation, request, status);
    if (outcome.kind !== 'stored' || asked.variant === true || !mayShare(request))
      return this.#conclude(await this.#fetch.fetch({ key, request }, request.signal), asked);
    const name = sharedName(key, request, outcome.representation);
    const own = await this.#collapse.run(name, request.signal, (signal) => this.#fetch.fetch({ key, request }, signal));
    return this.#collapsed(own.outcome, { ...asked, leader: own.leader, variant: true });
  }

  /** What a fetch made for this very request means for it. */
  async #conclude(outcome: Outcome, { key, request, status }: Asked): Promise<Answer | undefined> {
    const onServed = this.#countFor(request);
    switch (outcome.kind) {
      case 'shared':
        return sharedAnswer(outcome, status, { method: request.method, onServed });
      case 'passed':
        if (request.method === 'GET' && mayShare(request)) this.#unshareable.add(sharedName(key, request));
        if (request.method === 'HEAD' && outcome.supply.status === 200)
          await this.#headFreshens(request, outcome.supply);
        return passedAnswer(outcome.supply, status, onServed);
      case 'freshened': {
        const { representation } = outcome;
        const verdict = this.#judge(representation, request);
        return this.#fromStored(representation, request, { ...status, fwdStatus: 304, ttlSeconds: verdict.ttlSeconds });
      }
      case 'stored': {
        this.#unshareable.delete(sharedName(key, request));
        const { representation, fwdStatus, verbatim } = outcome;
        const answer = this.#answer(representation, request, { ...status, fwdStatus, stored: true });
        return verbatim === undefined ? answer : verbatimAnswer(answer, { part: verbatim, signal: request.signal });
      }
      default:
        return outcome satisfies never;
    }
  }

  /** A request the cache has no part in; unsafe ones invalidate what they may have changed (RFC 9111 section 4.4). */
  async #pass(request: CacheRequest, fwd: ForwardReason): Promise<Answer> {
    const { method, policy, signal, body, onInformational } = request;
    const supply = await this.#filler.supply(
      {
        method,
        target: originTarget(request.target),
        fields: passedRequestFields(request.fields),
        map: policy.name,
        ...(body && { body }),
      },
      { signal, ...(onInformational && { onInformational }) },
    );
    if (method === 'HEAD' && supply.status === 200) await this.#headFreshens(request, supply);
    const changed = invalidates(request, supply);
    if (changed.length > 0) this.#options.onInvalidated?.(changed);
    for (const target of changed) await this.#invalidate(cacheKey({ target, policy }), target);
    return passedAnswer(supply, { hit: false, fwd, fwdStatus: supply.status }, this.#countFor(request));
  }

  /** Where bytes for that request count; what is fetched ahead of viewers is given to nobody. */
  #countFor({ ahead }: CacheRequest): VideoCacheOptions['onServed'] {
    return ahead === true ? () => {} : this.#options.onServed;
  }

  /** What HEAD says of a stored response counts for it too (RFC 9111 section 4.3.5). */
  async #headFreshens(request: CacheRequest, supply: Supply): Promise<void> {
    const stored = select(await this.#entries.find(cacheKey(request), request.target), request.fields);
    if (stored !== undefined) this.#entries.update(stored, headFreshens(stored.stored, supply, request));
  }

  async #invalidate(key: string, target: string): Promise<void> {
    this.#purges.invalidated(key);
    for (const each of await this.#entries.find(key, target))
      this.#entries.update(each, { ...each.stored, invalidated: true });
  }

  #validateBehind(key: string, request: CacheRequest, stale: Representation): void {
    const signal = AbortSignal.timeout(backgroundTimeoutMs);
    const unconditional: CacheRequest = { ...request, method: 'GET', originForbidden: false, signal };
    const name = `GET ${stale.id} ${key}`;
    this.#collapse
      .run(name, signal, (shared) => this.#fetch.fetch({ key, request: unconditional, stale }, shared))
      .then(({ leader, outcome }) => {
        if (leader && outcome.kind === 'passed') discard(outcome.supply);
      })
      .catch(this.#options.onBackgroundError);
  }

  #answer(representation: Representation, request: CacheRequest, status: CacheStatus): Answer {
    return this.#answerOf(this.#content(representation, request), status, this.#options.now());
  }

  #answerOf(content: RepresentationContent, cacheStatus: CacheStatus, nowMs: number): Answer {
    const { representation, request } = content;
    const { stored } = representation;
    const fields = this.#aged.of(stored, representation.terms(request.policy), nowMs);
    return { kind: 'representation', status: stored.status, fields, cacheStatus, content };
  }

  #content(representation: Representation, request: CacheRequest): RepresentationContent {
    return new RepresentationContent(representation, request, this.#contentOptions);
  }

  #judge(representation: Representation, request: CacheRequest): Verdict {
    return judge(representation.terms(request.policy), request, this.#options.now());
  }

  #mayServeOnError(stale: Representation, request: CacheRequest): boolean {
    return mayServeOnError(stale.terms(request.policy), request, this.#options.now());
  }

  /** Whether every byte the request wants is at hand or on its way. */
  #holdsWanted(content: RepresentationContent): boolean {
    const { representation, request } = content;
    const { completeLength } = representation;
    if (isWithoutContent(representation, request)) return true;
    if (completeLength === undefined) return representation.flights.size > 0 && request.originForbidden !== true;
    const range = !request.fields.isPlain
      ? within(this.#ranges.of(request.method, request.fields), completeLength)
      : { first: 0, last: completeLength - 1 };
    if (range === undefined || range.last < range.first) return true;
    if (content.gather(range.first, range.last)) return true;
    const { first, last } = range;
    return request.originForbidden === true
      ? this.#filler.holdsItself(representation, first, last)
      : this.#filler.holds(representation, first, last);
  }

  /** The disk tier does not keep in mind where everything lies: what seems to be missing may be there. */
  async #reopens(content: RepresentationContent): Promise<boolean> {
    const reopening = this.#options.disk?.tier.reopen?.(content.representation.id);
    await reopening;
    return reopening !== undefined && this.#holdsWanted(content);
  }

  #changed(representation: Representation, request: CacheRequest, supply: Supply | undefined): void {
    this.#entries.remove(representation);
    if (supply !== undefined) this.#fetch.replace(representation, request, supply);
  }

  #settled(representation: Representation, outcome: { completeLength: number } | 'broken'): void {
    if (outcome === 'broken') this.#entries.remove(representation);
    else this.#entries.update(representation, { ...representation.stored, completeLength: outcome.completeLength });
  }
}

/** Whether the answer has no byte of what is stored: to HEAD, and where a precondition fails (RFC 9110 section 13.2). */
function isWithoutContent({ stored }: Representation, { method, fields }: CacheRequest): boolean {
  if (method === 'HEAD') return true;
  if (!fields.isConditional || stored.status !== 200) return false;
  return evaluatePreconditions({ request: fields, response: stored.fields }) !== 'perform';
}

/** The failure of what a request went on for says why it did. */
async function because<T>(fwd: ForwardReason, answering: Promise<T>): Promise<T> {
  try {
    return await answering;
  } catch (error) {
    const went = error instanceof EddyError && (error.side === 'upstream' || error.side === 'peer');
    throw went ? error.of(fwd) : error;
  }
}

function mayShare({ fields, policy }: CacheRequest): boolean {
  return !policy.requestDirectives || !parseCacheControl(fields.get('cache-control')).noStore;
}

/**
 * The name under which a request shares the fetch of a response with others. Requests whose responses may be kept from
 * others for what they carry do not stand for those without it.
 */
function sharedName(key: string, { fields }: CacheRequest, other?: Representation): string {
  const who = fields.has('authorization') ? 'authorized' : 'anyone';
  // Once it is known what the response varies with, those who want the same variant share its fetch.
  const variant = other === undefined ? '' : JSON.stringify(varyOf(other.stored.fields, fields));
  return `${who} ${key} ${variant}`;
}

function onlyIfCached(request: CacheRequest): boolean {
  if (request.originForbidden === true) return true;
  return request.policy.requestDirectives && parseCacheControl(request.fields.get('cache-control')).onlyIfCached;
}
