import { tagsOf } from '../semantics/tags.ts';
import { cacheKey } from './key.ts';
import { pathOf } from './purge.ts';
import type { MapPolicy, Purge, StoredResponse } from './types.ts';

/** A fetch that takes longer than this from its request to its response is not looked out for. */
const lookBackMs = 600_000;
const purgesMax = 256;

type Named = (key: string, fields: StoredResponse['fields']) => boolean;

/** What was purged or invalidated lately: a response that was asked for before that and comes after it is as old. */
export class RecentPurges {
  readonly #now: () => number;
  /** Oldest first. */
  readonly #purges: { readonly atMs: number; readonly names: Named }[] = [];
  /** Of purges that are forgotten: whatever was asked for before the last of them counts as purged. */
  #forgottenMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(which: Purge, policies: readonly MapPolicy[]): void {
    this.#add(namedBy(which, policies));
  }

  addKey(purged: string): void {
    this.#add((key) => key === purged);
  }

  /** Whether the response to a request made at that time was purged before it came. */
  names(key: string, { fields, requestTimeMs }: Pick<StoredResponse, 'fields' | 'requestTimeMs'>): boolean {
    if (this.#forgottenMs > requestTimeMs) return true;
    return this.#purges.some(({ atMs, names }) => atMs > requestTimeMs && names(key, fields));
  }

  #add(names: Named): void {
    const atMs = this.#now();
    this.#purges.push({ atMs, names });
    for (let [oldest] = this.#purges; oldest !== undefined; [oldest] = this.#purges) {
      const expired = atMs - oldest.atMs > lookBackMs;
      if (!expired && this.#purges.length <= purgesMax) return;
      if (!expired) this.#forgottenMs = oldest.atMs;
      this.#purges.shift();
    }
  }
}

function namedBy(which: Purge, policies: readonly MapPolicy[]): Named {
  if (which === 'all') return () => true;
  if ('tag' in which) return (_key, fields) => tagsOf(fields).has(which.tag);
  const isUrl = 'url' in which;
  const target = pathOf(isUrl ? which.url : which.prefix);
  const keys = policies.map((policy) => cacheKey({ target, policy }));
  return (key) => keys.some((each) => (isUrl ? key === each : key.startsWith(each)));
}
