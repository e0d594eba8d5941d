import type { Fields } from '../../fields.ts';
import { parseContentRange } from '../../semantics/content-range.ts';
import { endToEnd } from '../../semantics/hop-by-hop.ts';
import type { MapPolicy } from '../types.ts';
import { type Directives, effectiveDirectives, parseCacheControl } from './directives.ts';
import { hasExplicitLifetime, isNoStore } from './freshness.ts';
import { isHeuristicallyCacheable, isUnderstood } from './statuses.ts';
import { varyOf } from './vary.ts';

/** The parts of a request that decide about storing; every CacheRequest has them. */
interface StoringRequest {
  readonly method: string;
  readonly fields: Fields;
  readonly policy: MapPolicy;
}

/**
 * Whether a shared cache may store this response (RFC 9111 section 3).
 * One rule is our own: a Set-Cookie is stored only where the origin gave a lifetime or said `public`.
 */
export function storable(
  request: StoringRequest,
  { status, fields }: { readonly status: number; readonly fields: Fields },
): boolean {
  const { targetedFields, requestDirectives } = request.policy;
  const { directives } = effectiveDirectives(fields, targetedFields);
  if (request.method !== 'GET' || status < 200 || status > 599 || conditional.has(status)) return false;
  if (status === 206 && parseContentRange(fields.get('content-range')) === undefined) return false;
  if (directives.mustUnderstand && !isUnderstood(status)) return false;
  if (isNoStore(status, directives) || directives.private === true) return false;
  if (requestDirectives && noStoreRequested(request.fields)) return false;
  if (request.fields.has('authorization') && !allowsAuthorized(directives)) return false;
  if (varyOf(fields, request.fields) === 'any') return false;
  if (directives.public || hasExplicitLifetime(fields, targetedFields)) return true;
  return isHeuristicallyCacheable(status) && !fields.has('set-cookie');
}

/**
 * The fields to store (section 3.1): all but those of the connection and of a proxy, those that a qualified private
 * or no-cache withholds, Content-Length, and Content-Range where it describes the content (206 and 416).
 */
export function fieldsStored(
  fields: Fields,
  { status, targetedFields }: { readonly status: number; readonly targetedFields: readonly string[] },
): Fields {
  const dropped = [...fieldsWithheld(fields, targetedFields), 'content-length'];
  if (status === 206 || status === 416) dropped.push('content-range');
  return endToEnd(fields, dropped);
}

/** Answers to a condition or a range of one request; they say nothing about the resource for others. */
const conditional: ReadonlySet<number> = new Set([304, 412, 416, 417]);

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
