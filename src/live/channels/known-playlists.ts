import type { CacheRequest, Named } from '../../cache/types.ts';
import type { Clock } from '../clock.ts';
import type { FollowedPlaylist } from '../follow/followed-playlist.ts';
import type { PlaylistRequest } from '../message/playlist-request.ts';
import type { SettledPlaylist } from './settled-playlist.ts';

interface Followed {
  readonly kind: 'followed';
  readonly followed: FollowedPlaylist;
  readonly asked: PlaylistRequest;
  /** The Origin field it was asked for with, where that counts. */
  readonly origin: string | undefined;
}

/** Not for the mirror: the inner cache answers. */
export const passed = { kind: 'passed' } as const;

/** What is known of a target that names a playlist. */
export type Known = Followed | SettledPlaylist | typeof passed;

const knownMax = 4_096;
const passedMs = 30_000;

/** What is known of playlists, by key. The oldest that are not followed go first. */
export class KnownPlaylists {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly known: Known; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Known | undefined {
    const entry = this.#known.get(key);
    return entry === undefined || entry.untilMs <= this.#clock.nowMs() ? undefined : entry.known;
  }

  followed(): Followed[] {
    return [...this.#known.values()].flatMap(({ known }) => (isFollowed(known) ? [known] : []));
  }

  set<T extends Known>(key: string, known: T): T {
    const untilMs = known.kind === 'passed' ? this.#clock.nowMs() + passedMs : Number.POSITIVE_INFINITY;
    this.#known.delete(key);
    this.#known.set(key, { known, untilMs });
    if (this.#known.size > knownMax) this.#forgetOldest();
    return known;
  }

  delete(key: string): void {
    this.#known.delete(key);
  }

  /** Forgets those that are named; of what is not followed all, since that is soon found again. Returns the followed ones. */
  forget(named: Named): Followed[] {
    const all = this.followed();
    this.#known.clear();
    const isNamed = ({ asked, followed }: Followed) => named(asked.key, followed.version.received.fields);
    for (const known of all) if (!isNamed(known)) this.set(known.asked.key, known);
    return all.filter(isNamed);
  }

  #forgetOldest(): void {
    for (const [key, { known }] of this.#known) {
      if (isFollowed(known)) continue;
      this.#known.delete(key);
      return;
    }
  }
}

function isFollowed(known: Known): known is Followed {
  return known.kind === 'followed';
}

/** What is known, for who asks. */
export function given<T extends Known | { readonly kind: 'handed' }>(
  known: T,
  request: CacheRequest,
): T | typeof passed {
  if (known.kind === 'passed' || known.kind === 'handed') return known;
  // One that was asked for on behalf of one site is not for a page of another.
  if (known.kind === 'followed')
    return known.origin === undefined || known.origin === originOf(request) ? known : passed;
  // A member of the cell makes of it what its own viewers are to get.
  return request.peersForbidden === true ? passed : known;
}

export function originOf({ fields }: CacheRequest): string {
  return fields.get('origin') ?? '';
}
