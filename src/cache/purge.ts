import type { Entries } from './entries.ts';
import { cacheKey } from './key.ts';
import type { MapPolicy, Purge } from './types.ts';

/** Keys of the stored responses that a purge names. */
export async function* purgeKeys(
  which: Purge,
  { entries, policies, signal }: { entries: Entries; policies: readonly MapPolicy[]; signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  if (which === 'all' || 'tag' in which) yield* entries.keys(which, signal);
  else {
    const target = pathOf('url' in which ? which.url : which.prefix);
    for (const policy of policies) {
      const key = cacheKey({ target, policy });
      if ('url' in which) yield key;
      else yield* entries.keys({ prefix: key }, signal);
    }
  }
}

/** The path and query that a purge names. */
export function pathOf(url: string): string {
  const path = /^https?:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? url;
  return path.startsWith('/') ? path : `/${path}`;
}
