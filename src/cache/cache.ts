import { because, EddyError } from '../errors.ts';
import { RepresentationContent } from './content/content.ts';
import { StoredAnswers } from './content/stored-answers.ts';
import { FetchedAnswers } from './fetch/fetched-answers.ts';
import { PassThrough } from './fetch/pass-through.ts';
import { ResponseFetch } from './fetch/response-fetch.ts';
import { SharedFetches } from './fetch/shared-fetches.ts';
import { Filler } from './fill/filler.ts';
import { Places } from './fill/places.ts';
import type { KeptPiece } from './fill/tier-writer.ts';
import { cacheKey } from './key.ts';
import { freshSeconds, judge } from './rules/reuse.ts';
import { Entries } from './stored/entries.ts';
import type { Loan } from './stored/loan.ts';
import { Purges } from './stored/purges.ts';
import { RecentPurges } from './stored/recent-purges.ts';
import { select } from './stored/select.ts';
import type { Supplier } from './supply.ts';
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

interface VideoCacheOptions {
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

/** A change at the origin sends a request back to the start, this often. */
const roundsMax = 4;
/** Bytes that were missing turned out to be of another version, which came instead. */
const refetched = { hit: false, fwd: 'partial', stored: true } as const;

/** The path of a request: stored and fresh? else validate or fetch, once for all who ask; then the bytes, from anywhere. */
export class VideoCache implements Cache {
  readonly #now: () => number;
  readonly #entries: Entries;
  readonly #purges: Purges;
  readonly #stored: StoredAnswers;
  readonly #fetched: FetchedAnswers;
  readonly #passThrough: PassThrough;

  constructor(options: VideoCacheOptions) {
    const { ram, disk, suppliers, policies, now, onServed, onKept, onBackgroundError, onInvalidated } = options;
    const tiers = disk === undefined ? [ram] : [ram, disk.tier];
    const { entriesMax, onChanged } = options;
    const entries = new Entries({ tiers, store: disk?.entries, entriesMax, onChanged });
    const places = new Places(tiers);
    const filler = new Filler({
      ...{ places, tiers, suppliers, onKept },
      onChanged: (representation, request, supply) => {
        entries.remove(representation);
        if (supply !== undefined) responses.replace(representation, request, supply);
      },
      onSettled: (representation, outcome) => {
        if (outcome === 'broken') entries.remove(representation);
        else entries.update(representation, { ...representation.stored, completeLength: outcome.completeLength });
      },
    });
    const recent = new RecentPurges(now);
    const responses = new ResponseFetch(filler, { places, entries, purges: recent });
    this.#now = now;
    this.#entries = entries;
    this.#purges = new Purges({ entries, recent, policies, now });
    this.#stored = new StoredAnswers({
      ...{ places, filler, ram, disk: disk?.tier, now, onServed },
      refetch: (asked, missingFrom) => this.#fetched.miss(asked, { missingFrom }),
    });
    this.#passThrough = new PassThrough({ filler, entries, purges: this.#purges, onServed, onInvalidated });
    this.#fetched = new FetchedAnswers({
      ...{ stored: this.#stored, passThrough: this.#passThrough, now, onServed, onBackgroundError },
      fetches: new SharedFetches(responses, now),
    });
  }

  peek(request: CacheRequest): Answer | undefined {
    if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
    const variants = this.#entries.peek(request.key ?? cacheKey(request));
    const representation = variants && select(variants, request.fields);
    if (representation === undefined) return undefined;
    const nowMs = this.#now();
    const ttlSeconds = freshSeconds(representation.terms(request.policy), request, nowMs);
    if (ttlSeconds === undefined) return undefined;
    const content = this.#stored.atHand(representation, request);
    return content && this.#stored.of(content, { hit: true, ttlSeconds }, nowMs);
  }

  async answer(request: CacheRequest): Promise<Answer> {
    if (request.method !== 'GET' && request.method !== 'HEAD') return this.#passThrough.answer(request, 'method');
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
      fwd: refetched.fwd,
    });
  }

  /** Undefined: what was found is no longer there, look again. */
  async #find(key: string, request: CacheRequest): Promise<Answer | undefined> {
    const variants = await this.#entries.find(key, request.target);
    const representation = select(variants, request.fields);
    if (representation === undefined) {
      const [other] = variants;
      const fwd = other === undefined ? 'miss' : 'vary-miss';
      return because(fwd, this.#fetched.miss({ key, request, status: { hit: false, fwd } }, { other }));
    }
    const verdict = judge(representation.terms(request.policy), request, this.#now());
    const hit: CacheStatus = { hit: true, ttlSeconds: verdict.ttlSeconds };
    switch (verdict.use) {
      case 'fresh':
        return this.#stored.answer(representation, request, hit);
      case 'stale-while-revalidate':
        this.#fetched.validateBehind(representation, { key, request });
        return this.#stored.answer(representation, request, hit);
      case 'revalidate': {
        const { fwd = 'stale' } = verdict;
        return because(fwd, this.#fetched.validate(representation, { key, request, status: { hit: false, fwd } }));
      }
      default:
        return verdict.use satisfies never;
    }
  }

  purge(which: Purge, signal: AbortSignal): Promise<number> {
    return this.#purges.purge(which, signal);
  }

  /** A purge that was to be made at that time, for what was stored or made before it. Resolves to how many that were. */
  purgeOlder(which: Purge, when: { beforeMs: number; signal: AbortSignal }): Promise<number> {
    return this.#purges.purgeOlder(which, when);
  }

  /** Drops what that peer gave of, as far as it is in memory: it gave wrong bytes. Returns how many responses. */
  purgeGivenBy(peerId: string): number {
    return this.#purges.purgeGivenBy(peerId);
  }

  /** What is stored for these targets is validated before its next use: an unsafe request went through another cache. */
  invalidate(targets: readonly string[]): Promise<void> {
    return this.#purges.invalidate(targets);
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
}
