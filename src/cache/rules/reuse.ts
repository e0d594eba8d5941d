import type { Fields } from '../../fields.ts';
import type { MapPolicy } from '../types.ts';
import { type Directives, requestDirectives } from './directives.ts';
import { ageSecondsAt, type Freshness, type FreshnessTerms, freshnessAt } from './freshness.ts';

/** The parts of a request that decide about reuse; every CacheRequest has them. */
interface ReuseRequest {
  readonly fields: Fields;
  readonly policy: MapPolicy;
}

/** Whether a stored response may answer a request now (RFC 9111 section 4), and what Cache-Status says about it. */
export interface Verdict {
  /**
   * fresh: as it is, without asking; it may be stale within what the request's max-stale accepts.
   * stale-while-revalidate: as it is, while it is validated in the background.
   * revalidate: only once it has been validated.
   */
  readonly use: 'fresh' | 'revalidate' | 'stale-while-revalidate';
  /** Why it must be validated: it is stale, or the request does not want it as it is (RFC 9211 section 2.2). */
  readonly fwd: 'stale' | 'request' | undefined;
  /** Whole seconds; negative when stale. */
  readonly ttlSeconds: number;
}

export function judge(terms: FreshnessTerms, request: ReuseRequest, nowMs: number): Verdict {
  const now = freshnessAt(terms, nowMs);
  const use = useOf(now, wishesOf(request));
  const { fresh, mustRevalidateAlways, ttlSeconds } = now;
  if (use !== 'revalidate') return { use, fwd: undefined, ttlSeconds };
  return { use, fwd: fresh && !mustRevalidateAlways ? 'request' : 'stale', ttlSeconds };
}

/** Whole seconds of freshness left, for a response that may answer as it is; undefined for one that must be judged. */
export function freshSeconds(terms: FreshnessTerms, request: ReuseRequest, nowMs: number): number | undefined {
  if (request.fields.isDirected) {
    const { use, ttlSeconds } = judge(terms, request, nowMs);
    return use === 'fresh' ? ttlSeconds : undefined;
  }
  const left = terms.lifetimeSeconds - ageSecondsAt(terms, nowMs);
  return left > 0 && !terms.mustRevalidateAlways ? Math.floor(left) : undefined;
}

function useOf(now: Freshness, wishes: Directives | undefined): Verdict['use'] {
  const wanted = wishes === undefined || isWanted(now, wishes);
  if (now.mustRevalidateAlways) return 'revalidate';
  if (now.fresh) return wanted ? 'fresh' : 'revalidate';
  const stalenessSeconds = staleness(now);
  if (wanted && now.mayServeStale && stalenessSeconds <= (wishes?.maxStaleSeconds ?? -1)) return 'fresh';
  // A max-age of the request says that no stale response is wanted (RFC 9111 section 5.2.1.1).
  const mayLag = wanted && wishes?.maxAgeSeconds === undefined && wishes?.minFreshSeconds === undefined;
  const lags = stalenessSeconds <= now.staleWhileRevalidateSeconds && now.staleWhileRevalidateSeconds > 0;
  return mayLag && lags ? 'stale-while-revalidate' : 'revalidate';
}

/**
 * Whether a stored response may answer although it could not be validated: the origin cannot be reached, or answered
 * with a 5xx (RFC 9111 sections 4.2.4 and 4.3.3, RFC 5861 section 4).
 */
export function mayServeOnError(terms: FreshnessTerms, request: ReuseRequest, nowMs: number): boolean {
  const now = freshnessAt(terms, nowMs);
  if (!now.mayServeStale || now.mustRevalidateAlways) return false;
  const wishes = wishesOf(request);
  if (wishes?.noCache === true) return false;
  const accepted = Math.max(now.staleIfErrorSeconds, wishes?.staleIfErrorSeconds ?? 0, wishes?.maxStaleSeconds ?? 0);
  return now.fresh || staleness(now) <= accepted;
}

function wishesOf({ fields, policy }: ReuseRequest): Directives | undefined {
  if (!policy.requestDirectives || !fields.isDirected) return undefined;
  return requestDirectives(fields);
}

/** Whether the request wants a response of this age and remaining freshness without validation (section 5.2.1). */
function isWanted(now: Freshness, { noCache, maxAgeSeconds, minFreshSeconds }: Directives): boolean {
  if (noCache !== false) return false;
  const freshEnough = minFreshSeconds === undefined || now.lifetimeSeconds - now.ageSeconds >= minFreshSeconds;
  // RFC 8246 section 2: a fresh immutable response is validated only for no-cache.
  const youngEnough = maxAgeSeconds === undefined || now.ageSeconds <= maxAgeSeconds || (now.immutable && now.fresh);
  return freshEnough && youngEnough;
}

/** Seconds past the freshness lifetime. */
function staleness(now: Freshness): number {
  return Math.max(0, now.ageSeconds - now.lifetimeSeconds);
}
