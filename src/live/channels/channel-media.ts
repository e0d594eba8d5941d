import { BoundedMap } from '../../bounded-map.ts';
import type { Cache } from '../../cache/types.ts';
import type { Clock } from '../clock.ts';
import { stepBetween } from '../follow/adoption.ts';
import type { Manifest } from '../manifest.ts';
import type { PlaylistRequest } from '../message/playlist-request.ts';
import { AnnouncedFetch, newlyAnnounced } from './announced-fetch.ts';
import { type Expected, expectedOf } from './live-edge.ts';

interface ChannelMediaOptions {
  readonly inner: Cache;
  readonly clock: Clock;
  /** The target at the edge for a URL at the origin. */
  readonly toTarget: (url: string) => string | undefined;
}

const purgeTimeoutMs = 30_000;
/** More than any channel rotates through while it is in a window. */
const keysMax = 4_096;

/** What playlists name: fetched when it is announced, waited for when it is late, forgotten when its names mean other media. */
export class ChannelMedia {
  readonly #options: ChannelMediaOptions;
  readonly #ahead: AnnouncedFetch;
  /** Targets of keys: what playlists name as such is passed through, and kept nowhere. */
  readonly #keys = new BoundedMap<string, true>(keysMax);
  readonly #expected = new WeakMap<Manifest, ReadonlyMap<string, Expected>>();

  constructor(options: ChannelMediaOptions) {
    this.#options = options;
    this.#ahead = new AnnouncedFetch(options.inner, options.clock);
  }

  /** A manifest came: what it names as keys is not stored. */
  named(version: Manifest): void {
    if (version.hasKeys === false) return;
    for (const { role, url } of version.announced) {
      const target = role === 'key' ? this.#options.toTarget(url) : undefined;
      if (target !== undefined) this.#keys.set(target, true);
    }
  }

  /** A followed playlist has a version; `before`: the one before. `fetches`: whether this node is to fetch what is new. */
  advanced(
    { request }: PlaylistRequest,
    { version, before, fetches }: { version: Manifest; before: Manifest | undefined; fetches: boolean },
  ): void {
    const { toTarget } = this.#options;
    this.named(version);
    const step = before === undefined ? 'newer' : stepBetween(before, version);
    if (step === 'restart' || step === 'behind') return this.#forget(version);
    if (!fetches) return;
    const list = newlyAnnounced(version, before).flatMap(({ url, range }) => {
      const target = toTarget(url);
      return target === undefined ? [] : [{ target, range }];
    });
    this.#ahead.fetch(list, request);
  }

  /** Whether a playlist names that target as a key. */
  isKey(target: string): boolean {
    return this.#keys.has(target);
  }

  /** What one of these manifests names by that target. */
  expects(target: string, manifests: Iterable<Manifest>): Expected | undefined {
    for (const manifest of manifests) {
      const found = this.#expectedOf(manifest).get(target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #expectedOf(manifest: Manifest): ReadonlyMap<string, Expected> {
    const known = this.#expected.get(manifest);
    if (known !== undefined) return known;
    const expected = expectedOf(manifest, this.#options.toTarget);
    // An MPD that stays as it is names more as time goes on.
    if (manifest.kind !== 'dash') this.#expected.set(manifest, expected);
    return expected;
  }

  /** Names of before a restart stand for other media now. */
  #forget(version: Manifest): void {
    const signal = AbortSignal.timeout(purgeTimeoutMs);
    for (const target of this.#expectedOf(version).keys())
      this.#options.inner.purge({ url: target }, signal).catch(() => {});
  }
}
