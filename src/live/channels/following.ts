import { BoundedMap } from '../../bounded-map.ts';
import { stepBetween } from '../follow/adoption.ts';
import { FollowedPlaylist } from '../follow/followed-playlist.ts';
import type { PlaylistVersion } from '../follow/playlist-version.ts';
import { RemovedDateRanges } from '../hls/date-ranges.ts';
import type { PlaylistRequest } from '../message/playlist-request.ts';
import type { Received } from '../message/receive.ts';
import { encodeAnnouncement } from './cell-voice.ts';
import type { ChannelMedia } from './channel-media.ts';
import { type Known, type KnownPlaylists, originOf } from './known-playlists.ts';
import { offersBlocking, type PlaylistLoader, type PlaylistsOptions, waitsUpstream } from './playlist-loader.ts';

interface Parts {
  readonly loader: PlaylistLoader;
  readonly known: KnownPlaylists;
  readonly media: ChannelMedia;
}

const lastMax = 256;

/** Has live playlists followed, and tells the others of each version: the media they name, the cell, who fetches ahead. */
export class Following {
  readonly #options: PlaylistsOptions;
  readonly #parts: Parts;
  /** Those that are not followed any more: for viewers who come back the numbers go on, whatever the origin did meanwhile. */
  readonly #last = new BoundedMap<string, Pick<FollowedPlaylist, 'version' | 'newestMs'>>(lastMax);
  #count = 0;

  constructor(options: PlaylistsOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  /** How many are followed. */
  get count(): number {
    return this.#count;
  }

  /** Follows a live playlist from this version on. */
  follow(asked: PlaylistRequest, version: PlaylistVersion): Known {
    const { map, key, request } = asked;
    const { clock } = this.#options;
    const { loader, known: playlists, media } = this.#parts;
    this.#count++;
    const removed = new RemovedDateRanges(version.manifest, clock);
    const followed = new FollowedPlaylist(version, {
      clock,
      blocks: (manifest) => offersBlocking(manifest, map),
      load: (wanted, ending) => loader.next(asked, { before: followed.version, wanted, ending }),
      waitsUpstream: (manifest) => waitsUpstream(manifest, map),
      owns: () => loader.owns(key),
      tell: (newest, what) => {
        if (what === 'newer') newest.removedDateRanges = removed.advance(newest.manifest);
        this.#tell(key, newest, what);
      },
      onVersion: (newest, before) => {
        const both = { version: newest.manifest, before: before.manifest };
        media.advanced(asked, { ...both, fetches: loader.owns(key) });
        this.#options.onManifest?.(asked, newest.manifest);
      },
      onEnd: (fault) => {
        if (fault !== undefined)
          this.#options.log.warn({ err: fault, target: asked.target }, 'a playlist is given up, and asked for anew');
        this.#count--;
        if (followed.version.manifest.live) this.#last.set(key, followed);
        if (playlists.get(key) === known) playlists.delete(key);
      },
    });
    media.advanced(asked, { version: version.manifest, before: undefined, fetches: loader.owns(key) });
    const varies = version.received.fields.get('vary')?.toLowerCase().includes('origin') === true;
    const known: Known = { kind: 'followed', followed, asked, origin: varies ? originOf(request) : undefined };
    return playlists.set(asked.key, known);
  }

  /** What came, to viewers who had the last version while it was followed before; undefined: there was none. */
  afterLast(received: Received, asked: PlaylistRequest): PlaylistVersion | undefined {
    const last = this.#last.get(asked.key);
    if (last === undefined) return undefined;
    this.#last.delete(asked.key);
    const { version: before, newestMs } = last;
    const came = this.#parts.loader.read(received, { asked, before });
    if (came.kind === 'same') return before;
    if (came.kind !== 'version') return undefined;
    const restarted = stepBetween(before.manifest, came.version.manifest) === 'restart';
    return (restarted && came.anew?.(this.#options.clock.nowMs() - newestMs)) || came.version;
  }

  /** Tells the cell what is new, where that is this node's part. */
  #tell(key: string, { manifest, received }: PlaylistVersion, what: 'newer' | 'current'): void {
    const { voice } = this.#options;
    if (voice === undefined || !this.#parts.loader.owns(key)) return;
    const { bytes, fields, learntMs } = received;
    const news = what === 'newer' ? { playlist: { bytes, fields }, atMs: learntMs } : {};
    const message = encodeAnnouncement({ key, version: manifest.version, ...news });
    if (message !== undefined) voice.announce(message);
  }
}
