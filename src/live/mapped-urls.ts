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
  const rest = target.slice(bare(prefix).length);
  return URL.parse(origin.origin + bare(origin.pathname) + rest)?.href;
}

/** The target at the edge under which an absolute URL can be had; undefined where no map has that origin. */
export function edgeTarget(url: string, maps: readonly LiveMap[]): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.username !== '' || parsed.password !== '') return undefined;
  const wanted = parsed.pathname + parsed.search;
  let found: { readonly target: string; readonly base: number } | undefined;
  for (const { prefix, origins } of maps) {
    for (const origin of origins) {
      const base = URL.parse(origin);
      if (base === null || base.origin !== parsed.origin || !isUnder(wanted, base.pathname)) continue;
      const length = bare(base.pathname).length;
      if (found !== undefined && found.base >= length) continue;
      found = { target: bare(prefix) + wanted.slice(length), base: length };
    }
  }
  return found?.target;
}

/** The map of a target, by the longest prefix. */
export function mapOf(target: string, maps: readonly LiveMap[]): LiveMap | undefined {
  let found: LiveMap | undefined;
  for (const map of maps)
    if (isUnder(target, map.prefix) && map.prefix.length > (found?.prefix.length ?? -1)) found = map;
  return found;
}

function isUnder(target: string, prefix: string): boolean {
  const start = bare(prefix);
  if (!target.startsWith(start)) return false;
  const next = target[start.length];
  return next === '/' || (next === undefined && start !== '') || next === '?';
}

function bare(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}
