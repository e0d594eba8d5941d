import type { Fields } from '../fields.ts';
import { parseContentRange } from '../semantics/content-range.ts';
import { type Directives, effectiveDirectives, parseCacheControl } from './directives.ts';
import { hasExplicitLifetime, isNoStore } from './freshness.ts';
import { endToEnd } from '../semantics/hop-by-hop.ts';
import { sameOriginTarget } from './reference.ts';
import { isHeuristicallyCacheable, isUnderstood } from './statuses.ts';
import type { MapPolicy } from './types.ts';
import { varyOf } from './vary.ts';

/** The parts of a request that decide about storing; every CacheRequest has them. */
export interface StoringRequest {
  readonly method: string;
  readonly target: string;
  readonly fields: Fields;
  readonly policy: MapPolicy;
  readonly scheme?: string;
  readonly authority?: string;
}

export type Storable = { readonly store: true } | { readonly store: false; readonly reason: string };

/**
 * Whether a shared cache may store this response (RFC 9111 section 3).
 * One rule is our own: a Set-Cookie is stored only where the origin gave a lifetime or said `public`.
 */
export function storable(
  request: StoringRequest,
  response: { readonly status: number; readonly fields: Fields },
): Storable {
  const reason = forbidden(request, response);
  return reason === undefined ? { store: true } : { store: false, reason };
}

/**
 * The fields to store (section 3.1): all but those of the connection and of a proxy, those that a qualified private
 * or no-cache withholds, Content-Length, and Content-Range where it describes the content (206 and 416).
 */
export function fieldsStored(
  fields: Fields,
  { status = 206, targetedFields = [] }: { readonly status?: number; readonly targetedFields?: readonly string[] } = {},
): Fields {
  const dropped = [...fieldsWithheld(fields, targetedFields), 'content-length'];
  if (status === 206 || status === 416) dropped.push('content-range');
  return endToEnd(fields, dropped);
}

/** Answers to a condition or a range of one request; they say nothing about the resource for others. */
const conditional: ReadonlySet<number> = new Set([304, 412, 416, 417]);

function forbidden(
  request: StoringRequest,
  { status, fields }: { readonly status: number; readonly fields: Fields },
): string | undefined {
  const { policy } = request;
  const { directives } = effectiveDirectives(fields, policy.targetedFields);
  const explicit = hasExplicitLifetime(fields, policy.targetedFields);
  if (!isMethodStorable(request, fields, explicit)) return `method ${request.method}`;
  if (status < 200 || status > 599) return `status ${status} is not final`;
  if (conditional.has(status)) return `status ${status} answers one request only`;
  if (status === 206 && parseContentRange(fields.get('content-range')) === undefined) return '206 without one range';
  if (directives.mustUnderstand && !isUnderstood(status)) return `status ${status} is not understood`;
  if (isNoStore(status, directives)) return 'no-store';
  if (policy.requestDirectives && noStoreRequested(request.fields)) return 'no-store in the request';
  if (directives.private === true) return 'private';
  if (request.fields.has('authorization') && !allowsAuthorized(directives)) return 'Authorization in the request';
  if (varyOf(fields, request.fields) === 'any') return 'Vary: *';
  if (!explicit && !directives.public && !isHeuristicallyCacheable(status)) return `status ${status} without lifetime`;
  if (fields.has('set-cookie') && !explicit && !directives.public) return 'Set-Cookie without lifetime';
  return undefined;
}

/** GET; and a POST that says whose GET it answers, for how long (RFC 9110 section 9.3.3). */
function isMethodStorable(request: StoringRequest, response: Fields, explicit: boolean): boolean {
  const { method, target, scheme = 'http', authority = 'localhost' } = request;
  if (method === 'GET') return true;
  const location = method === 'POST' && explicit ? response.get('content-location') : undefined;
  return location !== undefined && sameOriginTarget(location, { scheme, authority, target }) === target;
}

/** Directives that open an answer to Authorization to others (section 3.5). */
function allowsAuthorized({ public: open, sMaxageSeconds, mustRevalidate }: Directives): boolean {
  return open || sMaxageSeconds !== undefined || mustRevalidate;
}

function noStoreRequested(request: Fields): boolean {
  return request.has('cache-control') && parseCacheControl(request.get('cache-control')).noStore;
}

/** Fields that a qualified private or no-cache names (sections 5.2.2.4 and 5.2.2.7). */
function fieldsWithheld(fields: Fields, targetedFields: readonly string[]): readonly string[] {
  const { directives } = effectiveDirectives(fields, targetedFields);
  const named = [directives.private, directives.noCache].filter((names) => typeof names === 'object');
  return named.flat();
}
