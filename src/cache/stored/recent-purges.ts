import { BoundedMap } from '../../bounded-map.ts';
import { ageOf } from '../../semantics/age.ts';
import type { MapPolicy, Named, Purge, StoredResponse } from '../types.ts';
import { namedBy } from './purge.ts';

/** A fetch that takes longer than this from its request to its response is not looked out for. */
const lookBackMs = 600_000;
const purgesMax = 256;
/** Anybody may send unsafe requests: what is forgotten of those is forgotten, and outdates nothing else. */
const invalidatedMax = 4_096;

/** What was purged or invalidated lately: a response that was asked for before that and comes after it is as old. */
export class RecentPurges {
  readonly #now: () => number;
  /** Oldest first. */
  readonly #purges: { readonly atMs: number; readonly names: Named }[] = [];
  /** Of purges that are forgotten: whatever was asked for before the last of them counts as purged. */
  #forgottenMs = 0;
  /** When each key was invalidated last. */
  readonly #invalidated = new BoundedMap<string, number>(invalidatedMax);

  constructor(now: () => number) {
    this.#now = now;
  }

  add(which: Purge, { policies, atMs }: { policies: readonly MapPolicy[]; atMs: number }): void {
    const nowMs = this.#now();
    this.#purges.push({ atMs, names: namedBy(which, policies) });
    this.#purges.sort((a, b) => a.atMs - b.atMs);
    for (let [oldest] = this.#purges; oldest !== undefined; [oldest] = this.#purges) {
      const expired = nowMs - oldest.atMs > lookBackMs;
      if (!expired && this.#purges.length <= purgesMax) return;
      if (!expired) this.#forgottenMs = oldest.atMs;
      this.#purges.shift();
    }
  }

  /** By an unsafe request. */
  invalidated(key: string): void {
    this.#invalidated.set(key, this.#now());
  }

  /** Whether the response to a request made at that time was purged before it came. */
  names(key: string, { fields, requestTimeMs }: Pick<StoredResponse, 'fields' | 'requestTimeMs'>): boolean {
    if (Math.max(this.#forgottenMs, this.#invalidatedMs(key)) > requestTimeMs) return true;
    return this.#purges.some(({ atMs, names }) => atMs > requestTimeMs && names(key, fields));
  }

  /**
   * Whether what a member of the cell gives is from before a purge, by its Age. In doubt it is from after a purge, which
   * members are told of at once, and from before an invalidation, which may take a moment.
   */
  outdates(key: string, { fields, responseTimeMs }: Pick<StoredResponse, 'fields' | 'responseTimeMs'>): boolean {
    const atLatestMs = madeMsAtLatest({ fields, responseTimeMs });
    const soonestMs = responseTimeMs - (ageOf(fields) + 1) * 1000;
    if (this.#forgottenMs > atLatestMs || this.#invalidatedMs(key) > soonestMs) return true;
    return this.#purges.some(({ atMs, names }) => atMs > atLatestMs && names(key, fields));
  }

  #invalidatedMs(key: string): number {
    return this.#invalidated.get(key) ?? 0;
  }
}

/**
 * When the origin gave a response, be it to somebody else; up to two seconds later than that, for Age has whole seconds,
 * and so has the Date that it may be counted from.
 */
export function madeMsAtLatest({ fields, responseTimeMs }: Pick<StoredResponse, 'fields' | 'responseTimeMs'>): number {
  return responseTimeMs - Math.max(0, ageOf(fields) - 1) * 1000;
}
