import type { MapPolicy, StoredResponse } from '../../src/cache/types.ts';
import { Fields } from '../../src/fields.ts';

/** Sun, 01 Nov 2026 12:00:00 GMT: when the responses of these tests came. */
export const receivedMs = Date.UTC(2026, 10, 1, 12);

/** Field lines, several of one name allowed. */
export type Lines = readonly (readonly [name: string, value: string])[] | Readonly<Record<string, string>>;

export function fieldsOf(lines: Lines): Fields {
  const pairs: readonly (readonly [string, string])[] = isList(lines) ? lines : Object.entries(lines);
  return new Fields(pairs.flat());
}

/** An HTTP-date that many seconds after the responses came. */
export function httpDate(secondsLater: number): string {
  return new Date(receivedMs + secondsLater * 1000).toUTCString();
}

export function policyWith(changes: Partial<MapPolicy> = {}): MapPolicy {
  return {
    name: 'vod',
    prefix: '/',
    cors: false,
    queryIgnored: [],
    targetedFields: ['eddy-cache-control', 'cdn-cache-control'],
    segmentLifetimeSeconds: 3600,
    heuristicFraction: 0.1,
    heuristicLifetimeSecondsMax: 86_400,
    negativeLifetimeSeconds: 5,
    staleWhileRevalidateSeconds: 0,
    staleIfErrorSeconds: 600,
    requestDirectives: true,
    ...changes,
  };
}

/** A 200 that came at `receivedMs` without delay; with a Date of that time unless the lines have one. */
export function storedWith(lines: Lines, changes: Partial<StoredResponse> = {}): StoredResponse {
  const given = fieldsOf(lines);
  return {
    id: 1,
    status: 200,
    fields: given.has('date') ? given : given.with('Date', httpDate(0)),
    completeLength: 36,
    requestTimeMs: receivedMs,
    responseTimeMs: receivedMs,
    vary: [],
    invalidated: false,
    ...changes,
  };
}

function isList(lines: Lines): lines is readonly (readonly [string, string])[] {
  return Array.isArray(lines);
}
