import type { Answer, Purge } from '../../cache/types.ts';
import { isPlaylistType } from '../../semantics/playlist-types.ts';
import { preciseNowMs } from '../clock.ts';
import type { PlaylistVersion } from '../follow/playlist-version.ts';
import { offsetIn } from '../hls/continuation.ts';
import { readDirectives } from '../hls/delivery-directives.ts';
import type { PlaylistRequest } from '../message/playlist-request.ts';
import { namesPlaylist } from '../message/playlist-target.ts';
import { receive } from '../message/receive.ts';
import { refusesSharing } from '../message/sharing.ts';
import { decodeAnnouncement } from './cell-voice.ts';
import { ChannelMedia } from './channel-media.ts';
import { Following } from './following.ts';
import { given, type Known, KnownPlaylists, passed } from './known-playlists.ts';
import type { Expected } from './live-edge.ts';
import { PlaylistLoader, type PlaylistsOptions } from './playlist-loader.ts';
import { SettledPlaylist } from './settled-playlist.ts';
import { reportOf, type StreamReport } from './stream-report.ts';

/** `handed`: the answer to the one request that it was asked for. */
type Found = Known | { readonly kind: 'handed'; readonly answer: Answer };

const unnamedMax = 4_096;
const followedMax = 1_024;
const loadTimeoutMs = 30_000;

/** All playlists of all channels: found, loaded once for all who ask, and followed where they are live. */
export class Playlists {
  readonly #options: PlaylistsOptions;
  readonly #loader: PlaylistLoader;
  readonly #known: KnownPlaylists;
  readonly #loading = new Map<string, Promise<Found>>();
  /** Targets of playlists whose path does not tell. */
  readonly #unnamed = new Set<string>();
  readonly media: ChannelMedia;
  readonly #following: Following;

  constructor(options: PlaylistsOptions) {
    this.#options = options;
    const offsetOf = (target: string, { request: { policy } }: PlaylistRequest): number => {
      const known = this.#known.get(options.keyOf({ target, policy }));
      return known?.kind === 'followed' ? offsetIn(known.followed.version.received.bytes) : 0;
    };
    this.#loader = new PlaylistLoader({ ...options, offsetOf });
    this.#known = new KnownPlaylists(options.clock);
    this.media = new ChannelMedia({ ...options, toTarget: (url) => this.#loader.target(url) });
    this.#following = new Following(options, { loader: this.#loader, known: this.#known, media: this.media });
  }

  get polls(): number {
    return this.#loader.polls;
  }

  get waiting(): number {
    return this.#known.followed().reduce((sum, { followed }) => sum + followed.waiting, 0);
  }

  /** Whether a target may be a playlist; asked for every request. */
  mayBe(target: string): boolean {
    if (namesPlaylist(target)) return true;
    return this.#unnamed.size > 0 && this.#unnamed.has(readDirectives(target)?.target ?? target);
  }

  /** Whether an answer turns out to be a playlist, though its target does not say so. */
  recognises({ target }: PlaylistRequest, { kind, status, fields }: Answer): boolean {
    if (kind !== 'representation' || status !== 200 || !isPlaylistType(fields.get('content-type'))) return false;
    if (this.#unnamed.size >= unnamedMax) this.#unnamed.clear();
    this.#unnamed.add(target);
    return true;
  }

  /** A member told of a version. Only the owner is believed. */
  announced(peerId: string, message: Buffer): void {
    const toldMs = preciseNowMs();
    const announcement = decodeAnnouncement(message);
    if (announcement === undefined || this.#options.voice?.ownerOf(announcement.key) !== peerId) return;
    const known = this.#known.get(announcement.key);
    if (known?.kind !== 'followed') return;
    const { followed, asked } = known;
    const { version, playlist, atMs: learntMs = toldMs } = announcement;
    const atMs = this.#options.clock.nowMs();
    const { received } = followed.version;
    if (version === followed.version.manifest.version)
      return followed.told({ kind: 'same', received: { ...received, fields: received.fields.without(['age']), atMs } });
    if (playlist === undefined) return followed.told('other');
    if (refusesSharing(playlist.fields)) return;
    const came = this.#loader.read({ ...playlist, atMs, learntMs }, { asked, before: followed.version });
    if (came.kind === 'version') this.#options.onTold?.(toldMs - learntMs);
    if (came.kind !== 'failed') followed.told(came);
  }

  /** Targets of the media playlists that a known multivariant one names. */
  renditions(asked: PlaylistRequest): readonly string[] {
    const known = this.peek(asked);
    if (known?.kind !== 'settled') return [];
    const named = known.manifest.level === 'multivariant' ? known.manifest.announced : [];
    return [...new Set(named.flatMap(({ role, url }) => (role === 'playlist' && this.#loader.target(url)) || []))];
  }

  /** Whether there are live playlists, so that a 404 may mean "not yet". */
  get following(): boolean {
    return this.#following.count > 0;
  }

  /** What a live playlist names by that target, and some origin may not have yet. */
  expects(target: string): Expected | undefined {
    return this.media.expects(
      target,
      this.#known.followed().map(({ followed }) => followed.version.manifest),
    );
  }

  peek({ key, request }: PlaylistRequest): Known | undefined {
    const known = this.#known.get(key);
    return known && given(known, request);
  }

  /** What is known, after asking for it where nothing is. Throws EddyError. */
  async find(asked: PlaylistRequest): Promise<Found> {
    const known = this.peek(asked);
    if (known !== undefined) return known;
    // A peer asks whom it takes to be the owner: where that is somebody else, this node does not begin to follow too.
    const { peersForbidden, originForbidden } = asked.request;
    if (originForbidden === true || (peersForbidden === true && !this.#loader.owns(asked.key))) return passed;
    const loading = this.#loading.get(asked.key);
    if (loading !== undefined) {
      const found = given(await loading, asked.request);
      return found.kind === 'handed' ? passed : found;
    }
    const load = this.#load(asked).finally(() => this.#loading.delete(asked.key));
    this.#loading.set(asked.key, load);
    return given(await load, asked.request);
  }

  /** What a purge names is asked for anew, also of what is followed. */
  forget(which: Purge): void {
    for (const { followed } of this.#known.forget(this.#options.namedBy(which))) followed.close();
  }

  streams(): readonly StreamReport[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#known
      .followed()
      .map(({ followed, asked }) =>
        reportOf(followed, { target: asked.target, nowMs, owns: this.#loader.owns(asked.key) }),
      );
  }

  async #load(asked: PlaylistRequest): Promise<Found> {
    const { request } = asked;
    const { clock } = this.#options;
    const controller = new AbortController();
    const cancel = clock.after(loadTimeoutMs, () => controller.abort());
    const { signal } = controller;
    const answer = await this.#loader.first(asked, signal).finally(cancel);
    if (answer.kind !== 'representation' || answer.status !== 200 || refusesSharing(answer.fields)) {
      if (answer.status === 200) this.#known.set(asked.key, passed);
      if (request.signal.aborted) controller.abort();
      else request.signal.addEventListener('abort', () => controller.abort(), { once: true });
      return { kind: 'handed', answer };
    }
    const received = await receive(answer, { signal, nowMs: () => clock.nowMs() });
    const manifest = received && this.#loader.parse(received.bytes, asked);
    if (received === undefined || manifest === undefined) return this.#known.set(asked.key, passed);
    const version = this.#following.afterLast(received, asked) ?? this.#loader.version(manifest, received, asked);
    this.media.named(version.manifest);
    this.#options.onManifest?.(asked, version.manifest);
    if (!manifest.live) {
      const read = ({ bytes }: { bytes: Buffer }) => this.#reread(asked, bytes, answer);
      return this.#known.set(asked.key, new SettledPlaylist(version, answer, { nowMs: () => clock.nowMs(), read }));
    }
    if (this.#following.count >= followedMax) return this.#known.set(asked.key, passed);
    return this.#following.follow(asked, version);
  }

  #reread(asked: PlaylistRequest, bytes: Buffer, { fields }: Answer): PlaylistVersion | undefined {
    const manifest = this.#loader.parse(bytes, asked);
    if (manifest === undefined || manifest.live) {
      this.#known.delete(asked.key);
      return undefined;
    }
    this.#options.onManifest?.(asked, manifest);
    const received = { bytes, fields, atMs: this.#options.clock.nowMs(), learntMs: preciseNowMs() };
    return this.#loader.version(manifest, received, asked);
  }
}
