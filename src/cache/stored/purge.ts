import { tagsOf } from '../../semantics/tags.ts';
import { cacheKey } from '../key.ts';
import type { MapPolicy, Named, Purge } from '../types.ts';
import type { Entries } from './entries.ts';

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

export function namedBy(which: Purge, policies: readonly MapPolicy[]): Named {
  if (which === 'all') return () => true;
  if ('tag' in which) return (_key, fields) => tagsOf(fields).has(which.tag);
  const isUrl = 'url' in which;
  const target = pathOf(isUrl ? which.url : which.prefix);
  const keys = policies.map((policy) => cacheKey({ target, policy }));
  return (key) => keys.some((each) => (isUrl ? key === each : key.startsWith(each)));
}

/** The path and query that a purge names. */
function pathOf(url: string): string {
  const path = /^https?:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] ?? url;
  return path.startsWith('/') ? path : `/${path}`;
}
