import { BoundedMap } from '../../bounded-map.ts';
import type { Cache, CacheRequest, MapPolicy } from '../../cache/types.ts';
import { ExpiringSet } from '../../expiring-set.ts';
import type { Fields } from '../../fields.ts';
import { edgeTarget } from '../../semantics/edge-target.ts';
import { hasPlayerReport } from '../../semantics/player-report.ts';
import type { Clock } from '../clock.ts';
import type { Manifest } from '../manifest.ts';
import { type LiveMap, mapOf } from '../mapped-urls.ts';
import { type AheadContext, contextOf, fetchAhead, requestAhead } from './ahead-fetch.ts';
import { type ClientData, clientDataOf } from './cmcd.ts';
import { EdgeWatch, type Watched } from './edge-watch.ts';
import { nextWanted } from './next-wanted.ts';
import { type PrefetchCounts, Prefetcher } from './prefetcher.ts';
import { keyWithRange, type MediaReference, type Place, Sequences } from './sequences.ts';

export interface ViewingOptions {
  readonly inner: Cache;
  readonly keyOf: (request: { readonly target: string; readonly policy: MapPolicy }) => string;
  readonly maps: () => readonly LiveMap[];
  readonly clock: Clock;
  readonly limits: PrefetchLimits;
  readonly counts: ViewingCounts;
}

export interface PrefetchLimits {
  /** Bytes that were fetched ahead and not asked for yet, of all viewers. */
  readonly bytesMax: number;
  /** Fetches ahead at once. */
  readonly requestsMax: number;
}

interface ViewingCounts {
  readonly prefetch: PrefetchCounts;
  /** What a player says of itself. `stream`: target of its manifest without query, where known. */
  readonly player: (data: ClientData, stream: string | undefined) => void;
}

interface AskedWith {
  readonly context: AheadContext;
  readonly segmentsId: string | undefined;
}

const targetMax = 2_048;
const manifestsMax = 1_024;
const seenMs = 2_000;
/** Of a live manifest only the newest part matters: viewers are near its end. */
const liveAnnouncedMax = 512;
/** Asked for too early, a segment is a 404 that viewers would hear of. */
const clockSkewMs = 250;

/** What viewers play, by the manifests they have and by their own words, and what they will ask for next. */
export class Viewing {
  readonly #options: ViewingOptions;
  readonly #sequences = new Sequences();
  readonly #prefetcher: Prefetcher<AheadContext>;
  readonly #edge: EdgeWatch;
  /** By manifest, as `Sequences` names it: the request that it was asked for with, and the segments it had last. */
  readonly #askedWith = new BoundedMap<string, AskedWith>(manifestsMax);
  /** What viewers who say nothing asked for: the next one to ask for it wants nothing else. */
  readonly #seen: ExpiringSet;

  constructor(options: ViewingOptions) {
    this.#options = options;
    const { clock, limits, counts, inner } = options;
    this.#edge = new EdgeWatch(clock, (watched) => this.#again(watched));
    this.#seen = new ExpiringSet({ forMs: seenMs, namesMax: 4_096, nowMs: () => clock.nowMs() });
    this.#prefetcher = new Prefetcher({
      ...{ clock, ...limits, counts: counts.prefetch },
      fetch: (wanted, { context, signal, onBytes }) =>
        fetchAhead(inner, requestAhead(wanted, { context, signal }), onBytes),
    });
  }

  /** A manifest came, or another version of it. */
  manifest({ target, request }: { target: string; request: CacheRequest }, manifest: Manifest): void {
    const { keyOf, maps } = this.#options;
    const { policy } = request;
    if (manifest.level !== 'media' || this.#segmentsAhead(policy) === 0) return;
    const name = `${policy.name} ${target.split('?', 1)[0]}`;
    // Of versions that only add parts nothing else would have to be read.
    const { segmentsId } = manifest;
    if (segmentsId !== undefined && this.#askedWith.get(name)?.segmentsId === segmentsId) return;
    const announced = manifest.live ? manifest.announced.slice(-liveAnnouncedMax) : manifest.announced;
    this.#sequences.set(name, announced, {
      keyOf: (each) => keyOf({ target: each, policy }),
      toEdge: byFolder((url) => this.#ours(edgeTarget(url, maps()), policy)),
    });
    this.#askedWith.set(name, { context: contextOf(request), segmentsId });
    if (manifest.live) this.#edge.advanced(name);
  }

  /** A viewer asks for something that is no manifest. What it says of itself, if it does. */
  seen(request: CacheRequest): ClientData | undefined {
    const { method, target, fields, policy } = request;
    const says = hasPlayerReport(request);
    if ((!says && this.#sequences.size === 0) || method !== 'GET') return undefined;
    if (request.peersForbidden === true || request.ahead === true || fields.has('authorization')) return undefined;
    const key = request.key ?? this.#options.keyOf({ target, policy });
    const first = firstByte(fields);
    if (!says) {
      const seen = keyWithRange(key, first);
      if (this.#seen.has(seen)) return undefined;
      this.#seen.add(seen);
    }
    const data = says ? clientDataOf({ target, fields }) : undefined;
    const place = this.#sequences.after(key, first);
    if (data !== undefined) this.#options.counts.player(data, streamOf(place?.name));
    if (place === undefined && data === undefined) return data;
    this.#asks({ context: contextOf(request), key, first, data }, place);
    return data;
  }

  /** Another thread gave what is stored under that key, whole, to a viewer that said nothing of itself. */
  used(key: string): void {
    const place = this.#sequences.after(key, undefined);
    const context = place && this.#askedWith.get(place.manifest)?.context;
    if (context !== undefined) this.#asks({ context, key, first: undefined, data: undefined }, place);
  }

  /** A viewer asks for a manifest. Whether it says something of itself. */
  heard(request: CacheRequest): boolean {
    const data = hasPlayerReport(request) ? clientDataOf(request) : undefined;
    if (data !== undefined) this.#options.counts.player(data, request.target.split('?', 1)[0]);
    return data !== undefined;
  }

  close(): void {
    this.#edge.close();
    this.#prefetcher.close();
  }

  #asks(watched: Watched, place: Place | undefined): void {
    const nextAtMs = this.#plan(watched, place);
    const segments = this.#segmentsAhead(watched.context.policy);
    if (place !== undefined && place.left <= segments) this.#edge.seen(place.name, watched, nextAtMs);
  }

  /** The manifest or the clock has moved on since a viewer asked for that. */
  #again(watched: Watched): void {
    const place = this.#sequences.after(watched.key, watched.first);
    if (place !== undefined) this.#edge.awaits(place.name, this.#plan(watched, place));
  }

  /** Has fetched what a viewer of that wants next. When there will be more, where that is known. */
  #plan({ context, key, first, data }: Watched, place: Place | undefined): number | undefined {
    const segments = this.#segmentsAhead(context.policy);
    if (segments === 0) return undefined;
    const nowMs = this.#options.clock.nowMs() - clockSkewMs;
    const isThere = ({ availableAtMs = 0 }: MediaReference): boolean => availableAtMs <= nowMs;
    const next = (count: number): MediaReference[] => (place?.next(count) ?? []).filter(isThere);
    const named = (reference: string, range: string | undefined): MediaReference | undefined =>
      this.#named(context, { reference, range });
    const wanted = nextWanted({ data, segments, next, named });
    const viewing = viewingOf(data, place?.name ?? key);
    // What holds many segments was perhaps wanted as a whole.
    this.#prefetcher.used(key);
    this.#prefetcher.seen(keyWithRange(key, first), { viewing, wanted, context });
    const later = place?.next(segments).find((each) => !isThere(each))?.availableAtMs;
    return later === undefined ? undefined : later + clockSkewMs;
  }

  #segmentsAhead({ name }: MapPolicy): number {
    const { live } = this.#options.maps().find((map) => map.name === name) ?? {};
    return live?.mirror === true ? live.prefetchSegments : 0;
  }

  /** A player's reference is relative to what it asks for, and leads nowhere outside the map. */
  #named(
    { target, policy }: AheadContext,
    { reference, range }: { reference: string; range: string | undefined },
  ): MediaReference | undefined {
    const url = URL.parse(reference, `http://edge.invalid${target.split('?', 1)[0]}`);
    if (url === null || url.host !== 'edge.invalid' || url.protocol !== 'http:') return undefined;
    const wanted = this.#ours(url.pathname + url.search, policy);
    if (wanted === undefined || wanted.length > targetMax) return undefined;
    const [, first, last] = /^(\d{1,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
    const key = this.#options.keyOf({ target: wanted, policy });
    if (first === undefined) return { key, target: wanted, range: undefined };
    const bytes = { first: Number(first), ...(last && { last: Number(last) }) };
    if (bytes.last !== undefined && bytes.last < bytes.first) return undefined;
    return { key: keyWithRange(key, bytes.first), target: wanted, range: bytes };
  }

  #ours(target: string | undefined, { name }: MapPolicy): string | undefined {
    return target !== undefined && mapOf(target, this.#options.maps())?.name === name ? target : undefined;
  }
}

/** Who watches what: a player has one place in each type of media, whatever rendition it is in. */
function viewingOf(data: ClientData | undefined, name: string): string {
  const { sessionId, objectType } = data ?? {};
  return sessionId === undefined || objectType === undefined ? name : `${sessionId} ${objectType}`;
}

/** The target of the manifest, out of the name of a sequence: map, target, rendition. */
function streamOf(name: string | undefined): string | undefined {
  return name?.split(' ', 2)[1];
}

function firstByte(fields: Fields): number | undefined {
  const range = fields.get('range');
  const first = range === undefined ? undefined : /^bytes=(\d{1,15})-/.exec(range)?.[1];
  return first === undefined ? undefined : Number(first);
}

/** Segments of one folder lie in one folder at the edge. */
function byFolder(toEdge: (url: string) => string | undefined): (url: string) => string | undefined {
  let [folder, edge]: [string, string | undefined] = ['', undefined];
  return (url) => {
    const mark = url.indexOf('?');
    const cut = url.lastIndexOf('/', mark < 0 ? url.length : mark) + 1;
    if (folder.length !== cut || !url.startsWith(folder)) {
      folder = url.slice(0, cut);
      edge = toEdge(folder);
    }
    return edge === undefined ? undefined : edge + url.slice(cut);
  };
}
