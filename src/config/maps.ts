import { z } from 'zod';
import type { MapPolicy } from '../cache/types.ts';
import { authority, fieldName, flag, fraction, integer, line, originUrl } from './values.ts';

const daySeconds = 86_400;
const yearSeconds = 365 * daySeconds;

const lifetimesSchema = z
  .strictObject({
    segmentSeconds: integer(0, yearSeconds)
      .default(3_600)
      .describe(
        'Media segments whose response has no explicit lifetime. They hardly ever change under one name; an hour bounds the harm when one does.',
      ),
    heuristicFraction: fraction(0, 1)
      .default(0.1)
      .describe(
        'Anything else without an explicit lifetime: this share of the time since Last-Modified (RFC 9111 4.2.2).',
      ),
    heuristicSecondsMax: integer(0, yearSeconds).default(daySeconds).describe('The most that heuristic may give.'),
    negativeSeconds: integer(0, daySeconds)
      .default(2)
      .describe(
        'Errors without an explicit lifetime. Live players ask for the next segment a little early: a 404 must be gone before they ask again, yet absorb a herd.',
      ),
    staleWhileRevalidateSeconds: integer(0, yearSeconds)
      .default(0)
      .describe(
        'How long after its end a response may still be given while it is validated (RFC 5861), where it does not say so itself. Off: an old live playlist stalls players.',
      ),
    staleIfErrorSeconds: integer(0, yearSeconds)
      .default(600)
      .describe(
        'How long after its end a response may be given when no origin answers (RFC 5861), where it does not say so itself. Players forgive an old playlist, few forgive a 502.',
      ),
  })
  .describe('How long responses that do not say so themselves stay fresh.');

const timeoutsSchema = z
  .strictObject({
    connectMs: integer(10, 120_000).default(3_000).describe('For a connection to an upstream, TLS included.'),
    firstByteMs: integer(10, 600_000)
      .default(10_000)
      .describe('From the request sent to the end of the response fields.'),
    idleMs: integer(10, 600_000).default(10_000).describe('Between two parts of a body; then it is resumed by range.'),
  })
  .describe('Deadlines towards the origins, in milliseconds.');

const nameError = 'a name of letters, digits, dots, hyphens and underscores, at most 64 characters';
const prefixError = 'a path that starts with /, without query, fragment, spaces and dot segments, such as /vod';

const liveSchema = z
  .strictObject({
    mirror: flag()
      .default(true)
      .describe(
        'Follow live playlists: ask the origin once for each version, whoever watches, and give all viewers the newest.',
      ),
    follow: z
      .array(line('the target of a playlist, such as /live/main.m3u8', 4_096), { error: 'a list of targets' })
      .max(64, { error: 'at most 64 targets' })
      .default([])
      .describe('Playlists that are followed from the start, and when nobody watches.'),
    offerBlockingReload: flag()
      .default(true)
      .describe(
        'Let players wait for the next version of a live HLS playlist where the origin itself does not offer that: they are closer to the live edge, and ask less often.',
      ),
    prefetchSegments: integer(0, 8)
      .default(2)
      .describe(
        'Segments fetched ahead of each viewer, by the playlist it plays and by what it says itself (CMCD nor). At most one eighth of the RAM, 64 MiB, and 4 requests at once for the whole node. 0: none.',
      ),
  })
  .describe('The live mirror: HLS and DASH.');

/** One entry of `maps`. */
export const mapSchema = z
  .strictObject({
    name: z
      .string({ error: nameError })
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, { error: nameError })
      .describe('Shown in logs and metrics. Part of the cache key: another name is an empty cache.'),
    prefix: z
      .string({ error: prefixError })
      .max(1024, { error: prefixError })
      .refine(isPathPrefix, { error: prefixError })
      .default('/')
      .describe('Paths that belong to this map. The longest prefix wins; it ends at a segment boundary.'),
    origins: z
      .array(originUrl(), { error: 'a list of 1 to 16 URLs' })
      .min(1, { error: 'a list of 1 to 16 URLs' })
      .max(16, { error: 'a list of 1 to 16 URLs' })
      .describe('Upstreams in failover order.'),
    host: authority('the Host to send').optional().describe('Host sent to the origins. Default: that of the URL.'),
    headers: z
      .record(fieldName(), line('the value of a header field', 8_192), { error: 'header fields: name and value' })
      .default({})
      .describe('Fields sent to the origins, replacing those of viewers; credentials belong here. Never logged.'),
    redirectHosts: z
      .array(authority('a host'), { error: 'a list of hosts' })
      .max(64, { error: 'at most 64 hosts' })
      .default([])
      .describe('Hosts that redirects are followed to. Redirects to any other are passed on to the viewer.'),
    cors: flag()
      .default(false)
      .describe(
        'Answer preflight and expose the fields players read. Off, since it opens what the origin gives to every site.',
      ),
    queryIgnored: z
      .array(line('the name of a query parameter', 256), { error: 'a list of names of query parameters' })
      .max(256, { error: 'at most 256 names' })
      .default([])
      .describe(
        'Query parameters that do not tell responses apart. CMCD never does. They are still sent to the origin.',
      ),
    targetedField: fieldName()
      .default('Eddy-Cache-Control')
      .describe('Targeted field (RFC 9213) that goes before CDN-Cache-Control and Cache-Control.'),
    lifetimes: lifetimesSchema.prefault({}),
    live: liveSchema.prefault({}),
    requestDirectives: flag()
      .default(true)
      .describe(
        'Honour Cache-Control of requests (RFC 9111 5.2.1). Set to false where viewers must not be able to reach past the cache.',
      ),
    timeouts: timeoutsSchema.prefault({}),
    attemptsMax: integer(1, 16).default(3).describe('Requests to origins for one answer, the first included.'),
    connectionsMax: integer(1, 4_096).default(128).describe('Connections to each origin.'),
    requestsMax: integer(1, 65_536).default(128).describe('Requests to the origins of this map at once; more wait.'),
  })
  .describe('Paths, the origins they come from, and how these responses are cached.');

export type MapConfig = Readonly<z.output<typeof mapSchema>>;

/** A map with nothing but defaults. Of values that the schema allows only. */
export function mapWithDefaults(map: z.input<typeof mapSchema>): MapConfig {
  return mapSchema.parse(map);
}

/** The cache behaviour of one map. */
export function policyOf(map: MapConfig): MapPolicy {
  const { lifetimes } = map;
  return {
    name: map.name,
    prefix: map.prefix,
    cors: map.cors,
    queryIgnored: map.queryIgnored,
    targetedFields: [...new Set([map.targetedField.toLowerCase(), 'cdn-cache-control'])],
    segmentLifetimeSeconds: lifetimes.segmentSeconds,
    heuristicFraction: lifetimes.heuristicFraction,
    heuristicLifetimeSecondsMax: lifetimes.heuristicSecondsMax,
    negativeLifetimeSeconds: lifetimes.negativeSeconds,
    staleWhileRevalidateSeconds: lifetimes.staleWhileRevalidateSeconds,
    staleIfErrorSeconds: lifetimes.staleIfErrorSeconds,
    requestDirectives: map.requestDirectives,
  };
}

function isPathPrefix(path: string): boolean {
  return path.startsWith('/') && !/[\s?#\p{Cc}]/u.test(path) && !/\/\.{1,2}(?:\/|$)/.test(path);
}
