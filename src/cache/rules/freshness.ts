import type { Fields } from '../../fields.ts';
import { ageOf, deltaSecondsMax } from '../../semantics/age.ts';
import { dateMs, parseHttpDate } from '../../semantics/dates.ts';
import type { MapPolicy, StoredResponse } from '../types.ts';
import { type Directives, effectiveDirectives } from './directives.ts';
import { mediaKind } from './media.ts';
import { isHeuristicallyCacheable, isUnderstood } from './statuses.ts';

/** The parts of a response that its freshness depends on; every StoredResponse has them. */
type Dated = Pick<StoredResponse, 'status' | 'fields' | 'requestTimeMs' | 'responseTimeMs'> &
  Partial<Pick<StoredResponse, 'invalidated'>>;

/** Where a response belongs: the target of its request, and the policy of its map. */
interface Context {
  readonly target: string;
  readonly policy: MapPolicy;
}

/** What decides about the reuse of a response at any time: computed once, good until it is freshened. */
export interface FreshnessTerms {
  readonly lifetimeSeconds: number;
  /** Its age when it came (RFC 9111 section 4.2.3, corrected_initial_age). */
  readonly initialAgeSeconds: number;
  readonly responseTimeMs: number;
  /** No directive forbids to use it stale (section 4.2.4). */
  readonly mayServeStale: boolean;
  /** How long past its lifetime, 0 where that is forbidden (RFC 5861). */
  readonly staleWhileRevalidateSeconds: number;
  readonly staleIfErrorSeconds: number;
  /** To be validated before every use: no-cache, or invalidated. */
  readonly mustRevalidateAlways: boolean;
  readonly immutable: boolean;
}

/** The terms at one moment. */
export interface Freshness extends FreshnessTerms {
  readonly fresh: boolean;
  /** With fractions. */
  readonly ageSeconds: number;
  /** Whole seconds of freshness left; negative when stale. */
  readonly ttlSeconds: number;
}

/** By so much a clock is corrected now and then. */
const clockStepMs = 1_000;
/** Lifetime of playlists without an explicit one. */
const playlistLifetimeSeconds = 1;

export function freshnessTerms(stored: Dated, { target, policy }: Context): FreshnessTerms {
  const governing = effectiveDirectives(stored.fields, policy.targetedFields);
  const { directives } = governing;
  const withheld = isWithheld(stored.status, directives);
  const mayServeStale = stored.invalidated !== true && !withheld && !forbidsStale(directives);
  return {
    lifetimeSeconds: lifetimeSeconds(stored, { target, policy }, governing),
    initialAgeSeconds: initialAgeSeconds(stored),
    responseTimeMs: stored.responseTimeMs,
    mayServeStale,
    staleWhileRevalidateSeconds: mayServeStale
      ? (directives.staleWhileRevalidateSeconds ?? policy.staleWhileRevalidateSeconds)
      : 0,
    staleIfErrorSeconds: mayServeStale ? (directives.staleIfErrorSeconds ?? policy.staleIfErrorSeconds) : 0,
    mustRevalidateAlways: stored.invalidated === true || withheld || directives.noCache === true,
    immutable: directives.immutable,
  };
}

/** The current age (RFC 9111 section 4.2.3), with fractions. */
export function ageSecondsAt(terms: FreshnessTerms, nowMs: number): number {
  const residentMs = nowMs - terms.responseTimeMs;
  // The clock was set back: how long it has been here nobody knows, so that it is taken to be stale by now.
  if (residentMs < -clockStepMs) return Math.max(terms.initialAgeSeconds, terms.lifetimeSeconds);
  return Math.min(terms.initialAgeSeconds + Math.max(0, residentMs) / 1000, deltaSecondsMax);
}

export function freshnessAt(terms: FreshnessTerms, nowMs: number): Freshness {
  const age = ageSecondsAt(terms, nowMs);
  return {
    ...terms,
    fresh: terms.lifetimeSeconds > age,
    ageSeconds: age,
    ttlSeconds: Math.floor(terms.lifetimeSeconds - age),
  };
}

/** Whether the origin gave a lifetime at all, be it 0. */
export function hasExplicitLifetime(fields: Fields, targetedFields: readonly string[]): boolean {
  const { directives, targeted } = effectiveDirectives(fields, targetedFields);
  if (directives.sMaxageSeconds !== undefined || directives.maxAgeSeconds !== undefined) return true;
  return !targeted && fields.has('expires');
}

/** RFC 9111 section 4.2.1, first match: targeted field, s-maxage, max-age, Expires; then what the policy assumes. */
function lifetimeSeconds(
  stored: Dated,
  context: Context,
  { directives, targeted }: { directives: Directives; targeted: boolean },
): number {
  const delta = directives.sMaxageSeconds ?? directives.maxAgeSeconds;
  const given = delta ?? (targeted ? undefined : expiresSeconds(stored));
  return given ?? assumedSeconds(stored, context, directives);
}

/** Expires minus Date; 0 when it is not a date (RFC 9111 section 5.3). Of several lines the first counts. */
function expiresSeconds(stored: Dated): number | undefined {
  const [expires] = stored.fields.all('expires');
  if (expires === undefined) return undefined;
  const expiresMs = parseHttpDate(expires, stored.responseTimeMs);
  if (expiresMs === undefined) return 0;
  return Math.min(Math.max(0, (expiresMs - dateMs(stored)) / 1000), deltaSecondsMax);
}

/** What the policy assumes without a word from the origin (RFC 9111 section 4.2.2). */
function assumedSeconds(stored: Dated, { target, policy }: Context, directives: Directives): number {
  const { status, fields } = stored;
  if (!isHeuristicallyCacheable(status) && !directives.public) return 0;
  if (status === 200 || status === 206) {
    const kind = mediaKind(target, fields);
    if (kind === 'segment') return policy.segmentLifetimeSeconds;
    if (kind === 'playlist') return playlistLifetimeSeconds;
  }
  const heuristic = heuristicSeconds(stored, policy);
  if (status < 400) return heuristic ?? 0;
  return Math.min(heuristic ?? Number.POSITIVE_INFINITY, policy.negativeLifetimeSeconds);
}

/** A share of the time since Last-Modified; undefined without one. */
function heuristicSeconds(stored: Dated, policy: MapPolicy): number | undefined {
  const modifiedMs = parseHttpDate(stored.fields.get('last-modified'), stored.responseTimeMs);
  if (modifiedMs === undefined) return undefined;
  const share = (Math.max(0, dateMs(stored) - modifiedMs) / 1000) * policy.heuristicFraction;
  return Math.min(share, policy.heuristicLifetimeSecondsMax);
}

function initialAgeSeconds(stored: Dated): number {
  // Date has whole seconds: what is left of the second it was sent in is not age.
  const apparent = Math.max(0, Math.floor((stored.responseTimeMs - dateMs(stored)) / 1000));
  const delay = Math.max(0, stored.responseTimeMs - stored.requestTimeMs) / 1000;
  return Math.max(apparent, ageOf(stored.fields) + delay);
}

/** Stored before the origin said that it must not be: good for nothing but validation. */
function isWithheld(status: number, directives: Directives): boolean {
  return isNoStore(status, directives) || directives.private === true;
}

/** Whether no-store counts: must-understand lifts it where the status code is understood (RFC 9111 section 5.2.2.3). */
export function isNoStore(status: number, directives: Directives): boolean {
  return directives.noStore && !(directives.mustUnderstand && isUnderstood(status));
}

function forbidsStale(directives: Directives): boolean {
  const { mustRevalidate, proxyRevalidate, sMaxageSeconds, noCache } = directives;
  return mustRevalidate || proxyRevalidate || sMaxageSeconds !== undefined || noCache === true;
}
