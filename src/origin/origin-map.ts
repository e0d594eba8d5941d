import { EddyError } from '../errors.ts';

/** Where requests under one path prefix go. Everything but the first three members has a default in `originDefaults`. */
export interface OriginMap {
  readonly name: string;
  /** Absolute http or https URLs in failover order; their path is the base that the rest of the target is put after. */
  readonly upstreams: readonly string[];
  /** Path prefix this map serves, `/` for all. It ends at a segment boundary: `/live` serves `/live/a`, not `/liver`. */
  readonly prefix: string;
  /** Host sent to the upstreams. Default: the authority of the upstream. */
  readonly hostField?: string;
  /** Sent to the upstreams, replacing the viewer's fields of these names. Credentials: never logged, never redirected. */
  readonly fieldsAdded?: Readonly<Record<string, string>>;
  /**
   * `host` (default port) or `host:port` that redirects are followed to. Any other is passed on, also to an upstream, since
   * a player resolves relative references against the URI it was redirected to: one that a map has, at the edge.
   */
  readonly redirectHosts?: readonly string[];
  readonly connectTimeoutMs?: number;
  /** From the request sent to the end of the response fields. */
  readonly firstByteTimeoutMs?: number;
  /** Between two parts of a body, while the reader is ready for more. */
  readonly idleTimeoutMs?: number;
  /** Upstream requests for one answer, the first included; resuming a body has a bound of its own. */
  readonly attemptsMax?: number;
  /** Connections to each upstream. */
  readonly connectionsMax?: number;
  /** Requests of this map under way at once, from the first attempt to the end of the body. */
  readonly requestsMax?: number;
  /** Requests over `requestsMax` that may wait, and for how long. */
  readonly queueMax?: number;
  readonly queueTimeoutMs?: number;
  /** `ca`: PEM certificates trusted instead of the system's. */
  readonly tls?: { readonly ca?: string };
}

export const originDefaults = {
  connectTimeoutMs: 3_000,
  firstByteTimeoutMs: 10_000,
  idleTimeoutMs: 10_000,
  attemptsMax: 3,
  connectionsMax: 128,
  requestsMax: 128,
  queueMax: 1_024,
  queueTimeoutMs: 5_000,
} as const;

/** Bounds that are not configurable. */
export const originBounds = {
  /** Response fields of one message, in bytes. */
  fieldBytesMax: 64 * 1024,
  /** Body bytes received and not yet read, before the connection is paused. */
  unreadBytesMax: 256 * 1024,
  /** Body bytes of an answer nobody wants that are read on to keep the connection. */
  discardedBytesMax: 64 * 1024,
  redirectsMax: 5,
  retryAfterMsMax: 3_000,
  backoffMs: 100,
  backoffMsMax: 2_000,
  /** Idle connections are closed before common servers close them (5 s and more). */
  keepAliveTimeoutMs: 4_000,
} as const;

/** A map with its defaults filled in. */
export type OriginSettings = OriginMap & { readonly [Key in keyof typeof originDefaults]: number };

/** Fills in the defaults. Throws EddyError naming the map, the member, its value and what is right. */
export function originSettings(map: OriginMap): OriginSettings {
  const settings = { ...originDefaults, ...map };
  if (!map.prefix.startsWith('/')) fail(map, 'prefix', { value: map.prefix, right: 'a path that starts with /' });
  if (map.upstreams.length === 0) fail(map, 'upstreams', { value: '[]', right: 'at least one URL' });
  for (const key of Object.keys(originDefaults) as (keyof typeof originDefaults)[]) {
    const value = settings[key];
    const least = key === 'queueMax' ? 0 : 1;
    if (!Number.isInteger(value) || value < least)
      fail(map, key, { value: String(value), right: `an integer from ${least}` });
  }
  return settings;
}

/** Parses the URL of an upstream. Throws EddyError unless it is http or https, without userinfo, query and fragment. */
export function upstreamUrl(map: OriginMap, text: string): URL {
  const right = 'an http or https URL without userinfo, query and fragment';
  const url = URL.parse(text);
  // The value is not shown: what is wrong with it may be a password.
  if (url === null) return fail(map, 'upstreams', { value: 'not a URL', right });
  const { protocol, username, password, search, hash } = url;
  const plain = username + password + search + hash === '' && (protocol === 'http:' || protocol === 'https:');
  return plain ? url : fail(map, 'upstreams', { value: `${protocol}//${url.host}`, right });
}

function fail(map: OriginMap, member: string, about: { value: string; right: string }): never {
  throw new EddyError('internal', `origin map ${map.name}: ${member} is ${about.value}, should be ${about.right}`, {
    side: 'internal',
  });
}
