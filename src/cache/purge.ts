import type { Entries } from './entries.ts';
import { cacheKey } from './key.ts';
import { tagsOf } from './tags.ts';
import type { MapPolicy } from './types.ts';

export type Purge = { readonly url: string } | { readonly prefix: string } | { readonly tag: string } | 'all';

/**
 * Keys of the stored responses that a purge names. URLs and prefixes are absolute or start with "/"; the host of an
 * absolute one is not compared, since every host leads to the same maps.
 */
export async function* purgeKeys(
  which: Purge,
  { entries, policies, signal }: { entries: Entries; policies: readonly MapPolicy[]; signal: AbortSignal },
): AsyncGenerator<string, void, undefined> {
  if (which === 'all') yield* entries.keys('all', signal);
  else if ('tag' in which) yield* entries.keys({ tag: which.tag, tagsOf: (stored) => tagsOf(stored.fields) }, signal);
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
