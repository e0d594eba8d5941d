import { type Named, namedBy } from './purge.ts';
import type { MapPolicy, Purge, StoredResponse } from './types.ts';

/** A fetch that takes longer than this from its request to its response is not looked out for. */
const lookBackMs = 600_000;
const purgesMax = 256;

/** What was purged or invalidated lately: a response that was asked for before that and comes after it is as old. */
export class RecentPurges {
  readonly #now: () => number;
  /** Oldest first. */
  readonly #purges: { readonly atMs: number; readonly names: Named; readonly told: boolean }[] = [];
  /** Of purges that are forgotten: whatever was asked for before the last of them counts as purged. */
  #forgottenMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(which: Purge, policies: readonly MapPolicy[]): void {
    this.#add(namedBy(which, policies), true);
  }

  /** One that other members of the cell are not told of. */
  addKey(purged: string): void {
    this.#add((key) => key === purged, false);
  }

  /** Whether the response to a request made at that time was purged before it came. */
  names(key: string, { fields, requestTimeMs }: Pick<StoredResponse, 'fields' | 'requestTimeMs'>): boolean {
    if (this.#forgottenMs > requestTimeMs) return true;
    return this.#purges.some(({ atMs, names }) => atMs > requestTimeMs && names(key, fields));
  }

  /**
   * Whether what a member of the cell gives is from before a purge, by its Age. That has whole seconds: in doubt it is
   * from after a purge that members are told of, and from before any other.
   */
  outdates(key: string, { fields, responseTimeMs }: Pick<StoredResponse, 'fields' | 'responseTimeMs'>): boolean {
    const atLatestMs = responseTimeMs - (Number(fields.get('age')) || 0) * 1000;
    if (this.#forgottenMs > atLatestMs) return true;
    return this.#purges.some(({ atMs, names, told }) => atMs > atLatestMs - (told ? 0 : 1000) && names(key, fields));
  }

  #add(names: Named, told: boolean): void {
    const atMs = this.#now();
    this.#purges.push({ atMs, names, told });
    for (let [oldest] = this.#purges; oldest !== undefined; [oldest] = this.#purges) {
      const expired = atMs - oldest.atMs > lookBackMs;
      if (!expired && this.#purges.length <= purgesMax) return;
      if (!expired) this.#forgottenMs = oldest.atMs;
      this.#purges.shift();
    }
  }
}
