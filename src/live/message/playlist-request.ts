import type { CacheRequest, MapPolicy, Named, Purge } from '../../cache/types.ts';
import { type DeliveryDirectives, readDirectives } from '../hls/delivery-directives.ts';
import type { LiveMap } from '../mapped-urls.ts';

/** A request for a playlist as the mirror reads it. */
export interface PlaylistRequest {
  readonly request: CacheRequest;
  readonly map: LiveMap;
  readonly key: string;
  /** Without delivery directives. */
  readonly target: string;
  readonly directives: DeliveryDirectives | undefined;
}

export interface PlaylistRequestOptions {
  readonly maps: () => readonly LiveMap[];
  /** The cache key of a target. */
  readonly keyOf: (request: { readonly target: string; readonly policy: MapPolicy }) => string;
  /** What a purge names. */
  readonly namedBy: (which: Purge) => Named;
}

type About = Omit<PlaylistRequest, 'request'>;

/** Reads requests for playlists. All viewers of a channel ask for the same at a time: what was read last is kept. */
export class PlaylistRequestReader {
  readonly #options: PlaylistRequestOptions;
  #last:
    | { readonly target: string; readonly policy: MapPolicy; readonly map: LiveMap; readonly about: About }
    | undefined;

  constructor(options: PlaylistRequestOptions) {
    this.#options = options;
  }

  /** Undefined for what the mirror has no part in. */
  read(request: CacheRequest): PlaylistRequest | undefined {
    const { method, target, policy, fields } = request;
    if ((method !== 'GET' && method !== 'HEAD') || fields.has('authorization')) return undefined;
    const map = this.#options.maps().find(({ name }) => name === policy.name);
    if (map === undefined || !map.live.mirror) return undefined;
    if (this.#last?.target !== target || this.#last.policy !== policy || this.#last.map !== map)
      this.#last = { target, policy, map, about: this.#about(request, map) };
    return { request, ...this.#last.about };
  }

  #about({ target: asked, policy }: CacheRequest, map: LiveMap): About {
    const read = readDirectives(asked);
    const target = read?.target ?? asked;
    return { map, target, key: this.#options.keyOf({ target, policy }), directives: read?.directives };
  }
}
