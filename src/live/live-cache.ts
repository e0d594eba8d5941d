import type { Answer, Cache, CacheRequest, MapPolicy, RepresentationAnswer } from '../cache/types.ts';
import { LiveEdge, mayComeYet } from './channels/live-edge.ts';
import { Pins } from './channels/pins.ts';
import type { PlaylistsOptions } from './channels/playlist-loader.ts';
import { Playlists } from './channels/playlists.ts';
import type { StreamReport } from './channels/stream-report.ts';
import { type Clock, systemClock } from './clock.ts';
import { type Held, heldFor, mustWait, refusalOf } from './follow/blocking.ts';
import type { FollowedPlaylist } from './follow/followed-playlist.ts';
import type { PlaylistVersion } from './follow/playlist-version.ts';
import { readDirectives } from './hls/delivery-directives.ts';
import type { Manifest } from './manifest.ts';
import { dataFor, type ServerData, withServerData } from './message/cmsd.ts';
import { acceptedCoding } from './message/coding.ts';
import { badRequest, notInTime } from './message/local-answers.ts';
import { unstoredRequest } from './message/mirrored-request.ts';
import { type PlaylistRequest, PlaylistRequestReader } from './message/playlist-request.ts';
import { Viewing, type ViewingOptions } from './prefetch/viewing.ts';

export interface LiveCacheOptions extends Omit<PlaylistsOptions, 'clock' | 'onManifest'> {
  readonly clock?: Clock;
  /** Fetching ahead of viewers, and hearing what they say of themselves; undefined: neither. */
  readonly viewing?: Pick<ViewingOptions, 'limits' | 'counts'> & {
    /** What is said to players that speak of themselves (CMSD). */
    readonly says: () => ServerData;
  };
}

/**
 * A cache that knows what a playlist is, around one that does not: live playlists are followed once for all viewers and
 * answered from what is known; everything else passes through.
 */
export class LiveCache implements Cache {
  readonly #options: LiveCacheOptions;
  readonly #clock: Clock;
  readonly #asked: PlaylistRequestReader;
  readonly #playlists: Playlists;
  readonly #viewing: Viewing | undefined;
  readonly #edge: LiveEdge;
  #pins: Pins | undefined;
  #closed = false;

  constructor(options: LiveCacheOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#asked = new PlaylistRequestReader(options);
    this.#edge = new LiveEdge(options.inner, this.#clock);
    const clock = this.#clock;
    const viewing = options.viewing && new Viewing({ ...options, ...options.viewing, clock });
    this.#viewing = viewing;
    const onManifest = viewing && ((asked: PlaylistRequest, manifest: Manifest) => viewing.manifest(asked, manifest));
    this.#playlists = new Playlists({ ...options, clock, onManifest });
  }

  peek(request: CacheRequest): Answer | undefined {
    const { inner } = this.#options;
    if (!this.#playlists.mayBe(request.target)) {
      const answer = inner.peek(request);
      // At the live edge it may mean "not yet".
      if (answer !== undefined && mayComeYet(answer) && this.#playlists.following) return undefined;
      return answer && this.#seen(request, answer);
    }
    const asked = this.#asked.read(request);
    if (asked === undefined) return inner.peek(request);
    const known = this.#playlists.peek(asked);
    if (known === undefined) return undefined;
    if (known.kind === 'passed') return inner.peek(request);
    if (known.kind === 'settled') return known.peek(asked, inner.peek(known.request(asked)));
    const { followed } = known;
    return mustWait(followed, asked) ? undefined : this.#answerFrom(followed, asked);
  }

  hold(request: CacheRequest, release: (answer: Answer | undefined) => void): (() => void) | undefined {
    const asked = this.#playlists.mayBe(request.target) ? this.#asked.read(request) : undefined;
    const known = asked && this.#playlists.peek(asked);
    if (asked === undefined || known?.kind !== 'followed') return undefined;
    const { followed } = known;
    const held = followed.ask() && heldFor(followed, asked);
    if (held === undefined) return undefined;
    const startedMs = this.#clock.nowMs();
    return followed.hold(held, (version) => {
      const answer = this.#released(followed, { asked, held, version });
      if (answer?.kind !== 'representation') return release(answer);
      release(this.#heard(request, answer, this.#clock.nowMs() - startedMs));
    });
  }

  async answer(request: CacheRequest): Promise<Answer> {
    const startedMs = this.#clock.nowMs();
    const answer = await this.#answer(request);
    if (!this.#playlists.mayBe(request.target)) return this.#seen(request, answer);
    if (answer.kind === 'passed') return answer;
    // What becomes of a playlist is decided here each time; no thread may give it by itself.
    return { ...this.#heard(request, answer, this.#clock.nowMs() - startedMs), askAgain: true };
  }

  /** `again`: what was followed is not to be given any more, and is asked for anew, for all who come meanwhile. */
  async #answer(request: CacheRequest, again = false): Promise<Answer> {
    const { inner } = this.#options;
    const asked = this.#asked.read(request);
    if (asked === undefined) return inner.answer(request);
    if (!this.#playlists.mayBe(request.target)) {
      const answer = await this.#media(asked);
      return this.#playlists.recognises(asked, answer) ? this.#answer(request) : answer;
    }
    const known = await this.#playlists.find(asked);
    if (known.kind === 'passed') return inner.answer(request);
    if (known.kind === 'handed') return known.answer;
    if (known.kind === 'settled') return known.answer(asked, await inner.answer(known.request(asked)));
    const answer = await this.#held(known.followed, asked);
    if (answer !== undefined || again) return answer ?? inner.answer(request);
    known.followed.close();
    return this.#answer(request, true);
  }

  async purge(...[which, signal]: Parameters<Cache['purge']>): Promise<number> {
    const purged = await this.#options.inner.purge(which, signal);
    this.#playlists.forget(which);
    return purged;
  }

  /** A member of the cell announced something. */
  announced(peerId: string, message: Buffer): void {
    this.#playlists.announced(peerId, message);
  }

  /** Another thread answered a viewer by itself, with what is stored under that key. */
  used(key: string): void {
    this.#viewing?.used(key);
  }

  /** What `/api/streams` lists. */
  streams(): readonly StreamReport[] {
    return this.#playlists.streams();
  }

  /** How often playlists that are followed were asked for. */
  get polls(): number {
    return this.#playlists.polls;
  }

  /** Requests for playlists that are held. */
  get waiting(): number {
    return this.#playlists.waiting;
  }

  /** The same for media. */
  get holding(): number {
    return this.#edge.holding;
  }

  /** Follows what the configuration names, from now on. */
  follow(policies: () => readonly MapPolicy[]): void {
    const { maps } = this.#options;
    const renditions = (request: CacheRequest): readonly string[] => {
      const asked = this.#asked.read(request);
      return asked === undefined ? [] : this.#playlists.renditions(asked);
    };
    this.#pins?.close();
    const answer = (request: CacheRequest) => this.answer(request);
    this.#pins = new Pins({ maps, policies, clock: this.#clock, answer, renditions });
    this.#pins.start();
  }

  close(): void {
    this.#closed = true;
    this.#pins?.close();
    this.#playlists.forget('all');
    this.#viewing?.close();
  }

  /** A playlist for a player that speaks of itself: told how long its request was held, where it asked to be. */
  #heard(request: CacheRequest, answer: RepresentationAnswer, waitedMs: number): RepresentationAnswer {
    const { viewing } = this.#options;
    if (viewing === undefined || answer.status !== 200 || this.#viewing?.heard(request) !== true) return answer;
    const held = readDirectives(request.target)?.directives.msn !== undefined;
    const said = { ...dataFor(request, viewing.says()), ...(held && { heldMs: waitedMs }) };
    return { ...answer, fields: withServerData(answer.fields, said) };
  }

  /** What a viewer gets that is no playlist: what will it ask for next? */
  #seen(request: CacheRequest, answer: Answer): Answer {
    const { viewing } = this.#options;
    if (viewing === undefined || answer.status !== 200) return answer;
    const said = this.#viewing?.seen(request);
    return said === undefined
      ? answer
      : { ...answer, fields: withServerData(answer.fields, dataFor(request, viewing.says())) };
  }

  /** What is no playlist. */
  #media({ request, key }: PlaylistRequest): Promise<Answer> {
    const { media, following } = this.#playlists;
    const { inner } = this.#options;
    if (media.isKey(request.target)) return inner.answer(unstoredRequest(request));
    const expects = () => this.#playlists.expects(request.target);
    return following ? this.#edge.answer(request, { key, expects }) : inner.answer(request);
  }

  /** Undefined: it has become too old, or is not followed any more. */
  #answerFrom(followed: FollowedPlaylist, { request, directives }: PlaylistRequest): Answer | undefined {
    const nowMs = this.#clock.nowMs();
    if (request.peersForbidden === true) return followed.ask()?.original(nowMs);
    const coding = acceptedCoding(request.fields.get('accept-encoding'));
    const delta = directives?.skip ?? false;
    followed.audience.asked(nowMs);
    this.#options.onPlaylistRequest?.('viewer');
    return followed.ask()?.answer({ coding, delta }, nowMs);
  }

  /** A request that wants a version which is not there yet is held (RFC 8216bis section 6.2.5.2). */
  async #held(followed: FollowedPlaylist, asked: PlaylistRequest): Promise<Answer | undefined> {
    const { directives, request } = asked;
    const manifest = followed.ask()?.manifest;
    if (manifest === undefined) return undefined;
    const refusal = directives && followed.blocks ? refusalOf(manifest, directives) : undefined;
    // Numbers of before a restart are no fault of the player's.
    if (refusal !== undefined) return followed.restarted ? this.#answerFrom(followed, asked) : badRequest(refusal);
    const held = heldFor(followed, asked);
    if (held === undefined) return this.#answerFrom(followed, asked);
    return this.#released(followed, { asked, held, version: await followed.holds(held, request.signal) });
  }

  /** `version`: what the request was held for; undefined: it did not come in time. */
  #released(
    followed: FollowedPlaylist,
    { asked, held, version }: { asked: PlaylistRequest; held: Held; version: PlaylistVersion | undefined },
  ): Answer | undefined {
    if (version === undefined && followed.ended && !this.#closed) return undefined;
    if (version === undefined && held.forMs === undefined && !followed.answersLate) return notInTime();
    const answer = this.#answerFrom(followed, asked);
    const { learntMs } = version?.received ?? {};
    return learntMs === undefined || answer?.kind !== 'representation' ? answer : { ...answer, learntMs };
  }
}
