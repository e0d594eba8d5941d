import type { Cache, CacheRequest } from '../../cache/types.ts';
import type { Clock } from '../clock.ts';
import type { Announced, Manifest } from '../manifest.ts';
import { contextOf, requestAhead } from '../prefetch/ahead-fetch.ts';
import { BackgroundFetches } from '../prefetch/background-fetches.ts';
import type { MediaReference } from '../prefetch/sequences.ts';

type Wanted = Pick<MediaReference, 'target' | 'range'>;

/** Fetches that were begun and have not got their first byte; beyond, what is announced is left to viewers. */
const fetchesMax = 32;
/** Hinted parts are held open by the origin until they are there. */
const timeoutMs = 15_000;
/** A first version names a whole window: players begin a few segments before its end. */
const firstMax = 3;

/** Asks for what a playlist newly names before viewers do, through the same flights. */
export class AnnouncedFetch {
  readonly #inner: Cache;
  readonly #fetches: BackgroundFetches;

  constructor(inner: Cache, clock: Clock) {
    this.#inner = inner;
    this.#fetches = new BackgroundFetches({ clock, requestsMax: fetchesMax, timeoutMs });
  }

  /** `like`: a request of the same map. */
  fetch(list: readonly Wanted[], like: CacheRequest): void {
    for (const each of list) if (this.#fetches.hasRoom) void this.#ask(each, like);
  }

  async #ask(wanted: Wanted, like: CacheRequest): Promise<void> {
    const controller = new AbortController();
    try {
      const answer = await this.#fetches.run(controller, (signal) =>
        this.#inner.answer(requestAhead(wanted, { context: contextOf(like), signal })),
      );
      // What may not be stored is of no use to others.
      if (answer.kind === 'passed') controller.abort();
    } catch {
      // Whoever wants it asks again.
    }
  }
}

/** What a version names and the one before did not, of the kind that its players ask for. Keys are never fetched ahead. */
export function newlyAnnounced(version: Manifest, before: Manifest | undefined): readonly Announced[] {
  // Which representations of an MPD have viewers nobody can tell by the MPD alone.
  if (version.kind === 'dash') return [];
  const media = version.kind === 'll-hls' ? ['part', 'hint', 'init'] : ['segment', 'init'];
  const names = (list: readonly Announced[]) => list.filter(({ role }) => media.includes(role));
  const known = new Set((before === undefined ? [] : names(before.announced)).map(nameOf));
  // A hint with an open range is the rest of a resource that grows: only a player knows what it lacks of it.
  const added = names(version.announced).filter((each) => !known.has(nameOf(each)) && isClosed(each));
  return added.slice(-firstMax);
}

function isClosed({ role, range }: Announced): boolean {
  return role !== 'hint' || range === undefined || range.last !== undefined;
}

function nameOf({ url, range }: Announced): string {
  return `${url} ${range?.first ?? ''}`;
}
