import { hash } from 'node:crypto';
import type { Answer, Cache } from '../../cache/types.ts';
import { ageOf } from '../../semantics/age.ts';
import { edgeTarget } from '../../semantics/edge-target.ts';
import type { Clock } from '../clock.ts';
import { parseMpd } from '../dash/mpd.ts';
import type { Loaded } from '../follow/follow-options.ts';
import { PlaylistVersion } from '../follow/playlist-version.ts';
import type { AwaitedVersion } from '../follow/waiters.ts';
import { continued, offsetIn, restarted } from '../hls/continuation.ts';
import { blockingTarget } from '../hls/delivery-directives.ts';
import { isHls, parseHls } from '../hls/hls.ts';
import { offeringBlockingReload } from '../hls/hls-delta.ts';
import { decoded } from '../hls/hls-uris.ts';
import type { Manifest } from '../manifest.ts';
import { type LiveMap, originUrl } from '../mapped-urls.ts';
import type { OnServed } from '../message/buffer-content.ts';
import { mirroredRequest, ownRequest } from '../message/mirrored-request.ts';
import type { PlaylistRequest, PlaylistRequestOptions } from '../message/playlist-request.ts';
import { type Received, receive } from '../message/receive.ts';
import { refusesSharing } from '../message/sharing.ts';
import type { CellVoice } from './cell-voice.ts';

export interface PlaylistsOptions extends PlaylistRequestOptions {
  readonly inner: Cache;
  readonly onServed: OnServed;
  /** A viewer was answered from a followed playlist, or one was asked for upstream. */
  readonly onPlaylistRequest?: (side: 'viewer' | 'upstream') => void;
  /** The owner of a playlist told of a version, so many milliseconds after it learnt of it by its own clock. */
  readonly onTold?: (lagMs: number) => void;
  readonly log: { info(about: object, message: string): void; warn(about: object, message: string): void };
  readonly clock: Clock;
  /** Undefined: this node is alone. */
  readonly voice?: CellVoice;
  /** A manifest came, or says more than before. */
  readonly onManifest?: ((asked: PlaylistRequest, manifest: Manifest) => void) | undefined;
}

interface LoaderOptions extends PlaylistsOptions {
  /** By how much the numbers of another playlist of the same map are moved for viewers. */
  readonly offsetOf: (target: string, asked: PlaylistRequest) => number;
}

const loadTimeoutMs = 30_000;

/** Asks the inner cache for playlists and reads what it answers. */
export class PlaylistLoader {
  /** Asks for followed playlists that were answered. */
  polls = 0;
  readonly #options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /**
   * What was stored may be of long ago: the origin is asked, for all who wait, so it outlives the viewer that was first.
   * Where it fails, what is stored will do, unless that is a live playlist older than its own window.
   */
  async first({ request, target, map }: PlaylistRequest, signal: AbortSignal): Promise<Answer> {
    const { inner, clock } = this.#options;
    const ask = (cacheControl: string) => inner.answer(mirroredRequest(request, { target, signal, cacheControl }));
    const asked = await ask('no-cache').catch((error: unknown) => error);
    if (!(asked instanceof Error) && (asked as Answer).status < 500) return asked as Answer;
    const stored = await ask('max-stale, only-if-cached').catch(() => undefined);
    const received = stored?.status === 200 ? await receive(stored, { signal, nowMs: () => clock.nowMs() }) : undefined;
    const manifest = received && this.parse(received.bytes, { target, map });
    const age = received === undefined ? 0 : ageOf(received.fields);
    if (stored !== undefined && manifest && (!manifest.live || age <= (manifest.windowSeconds ?? 0))) return stored;
    if (asked instanceof Error) throw asked;
    return asked as Answer;
  }

  async next(
    asked: PlaylistRequest,
    { before, wanted, ending }: { before: PlaylistVersion; wanted: AwaitedVersion | undefined; ending: AbortSignal },
  ): Promise<Loaded> {
    const { inner, clock } = this.#options;
    const controller = new AbortController();
    // An origin that holds a request while its encoder stands still is not to be taken for one that is down.
    const timeoutMs = wanted === undefined ? loadTimeoutMs : holdMsMax(asked.map);
    const cancel = clock.after(timeoutMs, () => controller.abort());
    const signal = AbortSignal.any([controller.signal, ending]);
    try {
      // A version that is waited for is asked for once, and worth nothing to the cache.
      const how =
        wanted === undefined
          ? { target: asked.target, cacheControl: 'no-cache' }
          : { target: blockingTarget(asked.target, atOrigin(wanted, before)), cacheControl: 'no-store' };
      // Whoever owns it does not ask the cell, which would ask back.
      const peersForbidden = this.#options.voice !== undefined && wanted === undefined && this.owns(asked.key);
      const answer = await inner.answer(ownRequest(asked.request, { ...how, signal, peersForbidden }));
      if (answer.status === 401 || answer.status === 403) return { kind: 'gone' };
      if (answer.status !== 200) return { kind: 'failed' };
      if ((answer.kind !== 'representation' && wanted === undefined) || refusesSharing(answer.fields))
        return { kind: 'gone' };
      const received = await receive(answer, { signal, nowMs: () => clock.nowMs() });
      if (received === undefined || isCut(received.bytes, before.received.bytes)) return { kind: 'failed' };
      return this.read(received, { asked, before });
    } catch {
      return { kind: 'failed' };
    } finally {
      cancel();
      this.polls++;
      this.#options.onPlaylistRequest?.('upstream');
    }
  }

  /** What a playlist that came says to viewers who have `before`. Never throws, whatever came. */
  read(received: Received, context: { asked: PlaylistRequest; before: PlaylistVersion }): Loaded {
    return this.#guarded(context.asked, () => this.#read(received, context)) ?? { kind: 'failed' };
  }

  #read(received: Received, { asked, before }: { asked: PlaylistRequest; before: PlaylistVersion }): Loaded {
    const old = before.received.bytes;
    const isDash = before.manifest.kind === 'dash';
    const options = this.#continueOptions(asked);
    const came = isDash ? received : edited(received, (text) => continued(text, old.toString('latin1'), options));
    if (came.bytes.equals(old)) {
      // An MPD that stays as it is announces more as time goes on.
      if (isDash) this.#options.onManifest?.(asked, before.manifest);
      return { kind: 'same', received: came };
    }
    const version = this.#mediaVersion(came, asked);
    if (version === undefined) return { kind: 'failed' };
    if (isDash) return { kind: 'version', version };
    const anew = (elapsedMs: number) => {
      const next = edited(received, (text) => restarted(text, old.toString('latin1'), { ...options, elapsedMs }));
      return next === received ? undefined : this.#mediaVersion(next, asked);
    };
    return { kind: 'version', version, anew: (elapsedMs) => this.#guarded(asked, () => anew(elapsedMs)) };
  }

  /** Undefined where a playlist that is like no other finds a fault of ours: viewers keep what they have. */
  #guarded<T>({ target }: PlaylistRequest, make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      this.#options.log.warn({ err: error, target }, 'a playlist that came could not be read');
      return undefined;
    }
  }

  #mediaVersion(received: Received, asked: PlaylistRequest): PlaylistVersion | undefined {
    const manifest = this.parse(received.bytes, asked);
    return manifest?.level === 'media' ? this.version(manifest, received, asked) : undefined;
  }

  #continueOptions(asked: PlaylistRequest): Parameters<typeof continued>[2] {
    const base = originUrl(asked.target, asked.map);
    const target = (uri: string) => this.target(URL.parse(decoded(uri), base)?.href ?? '');
    return {
      isOurs: (uri) => !uri.includes('{$') && target(uri) !== undefined,
      offsetOf: (uri) => {
        const other = target(uri);
        return other === undefined ? 0 : this.#options.offsetOf(other, asked);
      },
    };
  }

  /** Whether this node asks the origin, and not another member of the cell. */
  owns(key: string): boolean {
    const { voice } = this.#options;
    return voice === undefined || voice.ownerOf(key) === 'self';
  }

  /** The target at the edge for a URL at the origin. */
  target(url: string): string | undefined {
    return edgeTarget(url, this.#options.maps());
  }

  parse(bytes: Buffer, { target, map }: Pick<PlaylistRequest, 'target' | 'map'>): Manifest | undefined {
    const url = originUrl(target, map);
    if (url === undefined) return undefined;
    return isHls(bytes) ? parseHls(bytes, url) : parseMpd(bytes, { url, nowMs: () => this.#options.clock.nowMs() });
  }

  version(manifest: Manifest, received: Received, asked: PlaylistRequest): PlaylistVersion {
    const { onServed, maps } = this.#options;
    const { map } = asked;
    const { kind, targetSeconds, updateSeconds } = manifest;
    const lifetimeSeconds = Math.floor((kind === 'dash' ? updateSeconds : (targetSeconds ?? updateSeconds)) / 2);
    return new PlaylistVersion(manifest, {
      received,
      onServed,
      lifetimeSeconds,
      toEdge: (url) => edgeTarget(url, maps()),
      ...(offersBlocking(manifest, map) && { edit: withBlockingReload }),
    });
  }
}

/** The same with another text; itself where that is the same, or there is none. */
function edited(received: Received, edit: (text: string) => string | undefined): Received {
  const text = received.bytes.toString('latin1');
  const made = edit(text);
  if (made === undefined || made === text) return received;
  const bytes = Buffer.from(made, 'latin1');
  // What the origin says of its bytes is not true of others.
  const fields = received.fields.without(['etag', 'last-modified', 'content-length', 'content-encoding']);
  return { ...received, bytes, fields: fields.with('ETag', `"${hash('sha1', bytes, 'base64url')}"`) };
}

/** What is wanted by the origin's own numbers. */
function atOrigin({ msn, part }: AwaitedVersion, before: PlaylistVersion): AwaitedVersion {
  return { msn: Math.max(0, msn - offsetIn(before.received.bytes)), part };
}

/** A playlist that ended in a whole line before, and does not now, was cut off. */
function isCut(bytes: Buffer, before: Buffer): boolean {
  return before.at(-1) === 0x0a && bytes.at(-1) !== 0x0a;
}

/** Whether the edge holds requests that the origin does not. */
export function offersBlocking(
  { kind, live, canBlockReload }: Manifest,
  { live: { offerBlockingReload } }: LiveMap,
): boolean {
  return offerBlockingReload && kind !== 'dash' && live && canBlockReload !== true;
}

function withBlockingReload(bytes: Buffer): Buffer {
  return Buffer.from(offeringBlockingReload(bytes.toString('latin1')), 'latin1');
}

/** Whether to wait for the next version at the origin: only where it comes well before the origin counts as too slow. */
export function waitsUpstream({ canBlockReload, updateSeconds }: Manifest, map: LiveMap): boolean {
  return canBlockReload === true && updateSeconds * 1_500 < holdMsMax(map);
}

function holdMsMax({ timeouts }: LiveMap): number {
  return Math.min(loadTimeoutMs, 0.8 * (timeouts?.firstByteMs ?? 10_000));
}
