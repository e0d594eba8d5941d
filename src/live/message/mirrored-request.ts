import type { CacheRequest } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';
import { conditionNames } from '../../semantics/condition-names.ts';

interface MirroredOptions {
  readonly target: string;
  readonly signal: AbortSignal;
  /** Cache-Control of the request: how the inner cache is to treat it. */
  readonly cacheControl?: string;
}

/**
 * A request of the mirror for a whole playlist in no coding, in the words of plain HTTP: what the inner cache may do is
 * said by request directives, which count whatever the map makes of those of viewers.
 */
export function mirroredRequest(request: CacheRequest, options: MirroredOptions): CacheRequest {
  const { scheme, authority, policy } = request;
  const { target, signal, cacheControl } = options;
  const raw = [...request.fields.without(dropped).raw, 'Accept-Encoding', 'identity'];
  if (cacheControl !== undefined) raw.push('Cache-Control', cacheControl);
  const own = { ...policy, requestDirectives: true };
  const { peersForbidden } = request;
  const about = { scheme, authority, policy: own, signal, ...(peersForbidden && { peersForbidden }) };
  return { method: 'GET', target, fields: new Fields(raw), ...about };
}

/** The same without anything that tells of one viewer, for what is asked behind everybody's back. */
export function ownRequest(
  request: CacheRequest,
  options: MirroredOptions & { peersForbidden: boolean },
): CacheRequest {
  const origin = request.fields.get('origin');
  const fields = origin === undefined ? Fields.empty : new Fields(['Origin', origin]);
  const { method, target, scheme, authority, policy, signal } = request;
  const { peersForbidden } = options;
  const own = { method, target, scheme, authority, fields, policy, signal, peersForbidden };
  return { ...mirroredRequest(own, options), ahead: true };
}

/** The request of a viewer for the whole of a settled playlist in no coding: its own directives count. */
export function wholeRequest(request: CacheRequest, target: string): CacheRequest {
  const { policy, signal } = request;
  const cacheControl = request.fields.get('cache-control');
  return { ...mirroredRequest(request, { target, signal, ...(cacheControl && { cacheControl }) }), policy };
}

/** A look for something that was not there a moment ago, as a viewer or a peer asked for it, past what is stored of that. */
export function retryRequest(request: CacheRequest, signal: AbortSignal): CacheRequest {
  const range = request.fields.get('range');
  const { target } = request;
  const whole = { ...mirroredRequest(request, { target, signal, cacheControl: 'no-cache' }), ahead: true };
  return range === undefined ? whole : { ...whole, fields: whole.fields.with('Range', range) };
}

/** The same request, whose answer nobody keeps. */
export function unstoredRequest(request: CacheRequest): CacheRequest {
  const { method, target, scheme, authority, fields, signal, peersForbidden, originForbidden } = request;
  const policy = { ...request.policy, requestDirectives: true };
  const flags = { ...(peersForbidden && { peersForbidden }), ...(originForbidden && { originForbidden }) };
  return {
    method,
    target,
    scheme,
    authority,
    fields: fields.with('Cache-Control', 'no-store'),
    policy,
    signal,
    ...flags,
  };
}

/** What is said again, or would make the answer less than the whole playlist. */
const dropped = [...conditionNames, 'accept-encoding', 'cache-control', 'pragma'];
