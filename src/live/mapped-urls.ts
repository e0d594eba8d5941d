import { isUnder, withoutSlash } from '../semantics/edge-target.ts';

/** What the mirror knows of one origin map. */
export interface LiveMap {
  readonly name: string;
  /** Path prefix at the edge. */
  readonly prefix: string;
  /** URLs of the upstreams; their path is the base that the rest of a target is put after. */
  readonly origins: readonly string[];
  readonly live: LiveSettings;
  /** How long an origin may take for the first byte. Default: 10 s. */
  readonly timeouts?: { readonly firstByteMs: number };
}

export interface LiveSettings {
  /** Whether playlists of this map are mirrored at all. */
  readonly mirror: boolean;
  /** Targets of playlists that are followed without a viewer. */
  readonly follow: readonly string[];
  /** Whether the edge offers blocking reload where the origin does not. */
  readonly offerBlockingReload: boolean;
  /** Segments that are fetched ahead of a viewer; 0: none. */
  readonly prefetchSegments: number;
}

/** Absolute URL of a target at the first origin of its map; undefined where it makes no URL. */
export function originUrl(target: string, { prefix, origins }: LiveMap): string | undefined {
  const origin = URL.parse(origins[0] ?? '');
  if (origin === null || !isUnder(target, prefix)) return undefined;
  const rest = target.slice(withoutSlash(prefix).length);
  return URL.parse(origin.origin + withoutSlash(origin.pathname) + rest)?.href;
}

/** The map of a target, by the longest prefix. */
export function mapOf(target: string, maps: readonly LiveMap[]): LiveMap | undefined {
  let found: LiveMap | undefined;
  for (const map of maps)
    if (isUnder(target, map.prefix) && map.prefix.length > (found?.prefix.length ?? -1)) found = map;
  return found;
}
