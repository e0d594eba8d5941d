/** Where the edge has what an origin has. */
interface MappedPrefix {
  /** Path prefix at the edge. */
  readonly prefix: string;
  /** Absolute URLs; their path is the base that the rest of a target is put after. */
  readonly origins: readonly string[];
}

/** The target at the edge under which an absolute URL can be had; undefined where no map has that origin. */
export function edgeTarget(url: string, maps: readonly MappedPrefix[]): string | undefined {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.username !== '' || parsed.password !== '') return undefined;
  const wanted = parsed.pathname + parsed.search;
  let found: { readonly target: string; readonly base: number } | undefined;
  for (const { prefix, origins } of maps) {
    for (const origin of origins) {
      const base = URL.parse(origin);
      if (base === null || base.origin !== parsed.origin || !isUnder(wanted, base.pathname)) continue;
      const length = withoutSlash(base.pathname).length;
      if (found !== undefined && found.base >= length) continue;
      found = { target: withoutSlash(prefix) + wanted.slice(length), base: length };
    }
  }
  return found?.target;
}

/** Whether a target begins with a path prefix, which ends at the boundary of a segment. */
export function isUnder(target: string, prefix: string): boolean {
  const start = withoutSlash(prefix);
  if (!target.startsWith(start)) return false;
  const next = target[start.length];
  return next === '/' || (next === undefined && start !== '') || next === '?';
}

export function withoutSlash(prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
}
