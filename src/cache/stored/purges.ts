import { cacheKey } from '../key.ts';
import type { MapPolicy, Purge, StoredResponse } from '../types.ts';
import type { Entries } from './entries.ts';
import { purgeKeys } from './purge.ts';
import { madeMsAtLatest, type RecentPurges } from './recent-purges.ts';

interface PurgesOptions {
  readonly entries: Entries;
  /** Told of each purge and invalidation, for what is still on its way. */
  readonly recent: RecentPurges;
  readonly policies: () => readonly MapPolicy[];
  readonly now: () => number;
}

interface DropOptions {
  readonly atMs: number;
  readonly signal: AbortSignal;
  readonly isSpared: (stored: StoredResponse) => boolean;
}

/** Drops stored responses, or has them validated before their next use, because somebody says so. */
export class Purges {
  readonly #options: PurgesOptions;

  constructor(options: PurgesOptions) {
    this.#options = options;
  }

  /** Drops what is named, but not what was asked for after that. Resolves to how many stored responses that were. */
  purge(which: Purge, signal: AbortSignal): Promise<number> {
    const { now } = this.#options;
    const atMs = now();
    // A time to come says that the clock was set back, and not when it was asked for.
    const isSpared = ({ requestTimeMs }: StoredResponse) => requestTimeMs > atMs && requestTimeMs <= now();
    return this.#drop(which, { atMs, signal, isSpared });
  }

  /** A purge that was to be made at that time, for what was stored or made before it. Resolves to how many that were. */
  purgeOlder(which: Purge, { beforeMs, signal }: { beforeMs: number; signal: AbortSignal }): Promise<number> {
    const isSpared = (stored: StoredResponse) => Math.min(stored.requestTimeMs, madeMsAtLatest(stored)) >= beforeMs;
    return this.#drop(which, { atMs: beforeMs, signal, isSpared });
  }

  /** What is stored for these targets is validated before its next use (RFC 9111 section 4.4). */
  async invalidate(targets: readonly string[], policies = this.#options.policies()): Promise<void> {
    const { entries, recent } = this.#options;
    for (const policy of policies) {
      for (const target of targets) {
        const key = cacheKey({ target, policy });
        recent.invalidated(key);
        for (const each of await entries.find(key, target)) entries.update(each, { ...each.stored, invalidated: true });
      }
    }
  }

  /** Drops what that peer gave of, as far as it is in memory: it gave wrong bytes. Returns how many responses. */
  purgeGivenBy(peerId: string): number {
    const { entries } = this.#options;
    const given = entries.live().filter((each) => each.givers.has(peerId));
    for (const each of given) entries.remove(each);
    return given.length;
  }

  /** What is on its way and is named counts as purged too. */
  async #drop(which: Purge, { atMs, signal, isSpared }: DropOptions): Promise<number> {
    const { entries, recent } = this.#options;
    const policies = this.#options.policies();
    recent.add(which, { policies, atMs });
    let purged = 0;
    for await (const key of purgeKeys(which, { entries, policies, signal }))
      purged += await entries.removeKey(key, isSpared);
    return purged;
  }
}
