import type { Answer } from '../cache/types.ts';
import type { Clock } from './clock.ts';
import { blockingTarget } from './delivery-directives.ts';
import type { Loaded } from './followed-playlist.ts';
import { isHls, parseHls } from './hls.ts';
import { offeringBlockingReload } from './hls-delta.ts';
import type { Asked, LiveCacheOptions } from './live-cache.ts';
import type { Manifest } from './manifest.ts';
import { edgeTarget, type LiveMap, originUrl } from './mapped-urls.ts';
import { mirroredRequest, ownRequest } from './mirrored-request.ts';
import { parseMpd } from './mpd.ts';
import { PlaylistVersion } from './playlist-version.ts';
import { type Received, receive } from './receive.ts';
import { refusesSharing } from './sharing.ts';
import type { Wanted } from './waiters.ts';

export interface PlaylistsOptions extends LiveCacheOptions {
  readonly clock: Clock;
  /** A manifest came, or says more than before. */
  readonly onManifest?: ((asked: Asked, manifest: Manifest) => void) | undefined;
}

const loadTimeoutMs = 30_000;

/** Asks the inner cache for playlists and reads what it answers. */
export class PlaylistLoader {
  /** Asks for followed playlists that were answered. */
  polls = 0;
  readonly #options: PlaylistsOptions;

  constructor(options: PlaylistsOptions) {
    this.#options = options;
  }

  /**
   * What was stored may be of long ago: the origin is asked, for all who wait, so it outlives the viewer that was first.
   * Where it fails, what is stored will do, unless that is a live playlist older than its own window.
   */
  async first({ request, target, map }: Asked, signal: AbortSignal): Promise<Answer> {
    const { inner, clock } = this.#options;
    const ask = (cacheControl: string) => inner.answer(mirroredRequest(request, { target, signal, cacheControl }));
    const asked = await ask('no-cache').catch((error: unknown) => error);
    if (!(asked instanceof Error) && (asked as Answer).status < 500) return asked as Answer;
    const stored = await ask('max-stale, only-if-cached').catch(() => undefined);
    const received = stored?.status === 200 ? await receive(stored, { signal, nowMs: () => clock.nowMs() }) : undefined;
    const manifest = received && this.parse(received.bytes, { target, map });
    const age = Number(received?.fields.get('age') ?? 0);
    if (stored !== undefined && manifest && (!manifest.live || age <= (manifest.windowSeconds ?? 0))) return stored;
    if (asked instanceof Error) throw asked;
    return asked as Answer;
  }

  async next(
    asked: Asked,
    { before, wanted }: { before: PlaylistVersion; wanted: Wanted | undefined },
  ): Promise<Loaded> {
    const { inner, clock } = this.#options;
    const controller = new AbortController();
    // An origin that holds a request while its encoder stands still is not to be taken for one that is down.
    const timeoutMs = wanted === undefined ? loadTimeoutMs : holdMsMax(asked.map);
    const cancel = clock.after(timeoutMs, () => controller.abort());
    const { signal } = controller;
    try {
      // A version that is waited for is asked for once, and worth nothing to the cache.
      const how =
        wanted === undefined
          ? { target: asked.target, cacheControl: 'no-cache' }
          : { target: blockingTarget(asked.target, wanted), cacheControl: 'no-store' };
      // Whoever owns it does not ask the cell, which would ask back.
      const peersForbidden = this.#options.voice !== undefined && wanted === undefined && this.owns(asked.key);
      const answer = await inner.answer(ownRequest(asked.request, { ...how, signal, peersForbidden }));
      if (answer.status === 401 || answer.status === 403) return { kind: 'gone' };
      if (answer.status !== 200) return { kind: 'failed' };
      if ((answer.kind !== 'representation' && wanted === undefined) || refusesSharing(answer.fields))
        return { kind: 'gone' };
      const received = await receive(answer, { signal, nowMs: () => clock.nowMs() });
      if (received === undefined || isCut(received.bytes, before.received.bytes)) return { kind: 'failed' };
      if (received.bytes.equals(before.received.bytes)) {
        // An MPD that stays as it is announces more as time goes on.
        if (before.manifest.kind === 'dash') this.#options.onManifest?.(asked, before.manifest);
        return { kind: 'same', received };
      }
      const manifest = this.parse(received.bytes, asked);
      if (manifest?.level !== 'media') return { kind: 'failed' };
      return { kind: 'version', version: this.version(manifest, received, asked) };
    } catch {
      return { kind: 'failed' };
    } finally {
      cancel();
      this.polls++;
      this.#options.onPlaylistRequest?.('upstream');
    }
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

  parse(bytes: Buffer, { target, map }: Pick<Asked, 'target' | 'map'>): Manifest | undefined {
    const url = originUrl(target, map);
    if (url === undefined) return undefined;
    return isHls(bytes) ? parseHls(bytes, url) : parseMpd(bytes, { url, nowMs: () => this.#options.clock.nowMs() });
  }

  version(manifest: Manifest, received: Received, asked: Asked): PlaylistVersion {
    const { onServed, maps, onManifest } = this.#options;
    const { map } = asked;
    onManifest?.(asked, manifest);
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
