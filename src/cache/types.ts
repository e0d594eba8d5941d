import type { Fields } from '../fields.ts';
import type { ForwardReason } from '../semantics/forward-reason.ts';
import type { Verdict } from '../semantics/preconditions.ts';

/** Where served bytes came from: Cache-Status `detail` and the `tier` label of metrics. */
export type Source = 'ram' | 'disk' | 'peer' | 'origin';

/**
 * Identity of the bytes of one stored representation. A safe integer, never used again: another validator means
 * another id, so pieces of two versions can never meet under one id.
 */
export type RepresentationId = number;

/** Pieces never cross a multiple of this offset, so a whole representation cuts the same way on every node. */
export const pieceBytes = 256 * 1024;

/**
 * Query parameter that tells media apart from others that had the same name before the origin of a live channel began anew.
 * It is part of the cache key, and the origin is never told.
 */
export const epochParameter = '_eddy_epoch';

/** Where a stored piece lies in its representation: bytes first .. first + length - 1. */
export interface PieceSpan {
  readonly first: number;
  readonly length: number;
}

/**
 * A place that keeps pieces: contiguous byte runs of at most `pieceBytes`, inside one `pieceBytes` slot.
 * Pieces of one id may overlap; any of them is right, since the bytes of one id never differ.
 * Losing a piece is always allowed, giving a wrong byte never.
 */
export interface Tier {
  readonly name: 'ram' | 'disk';
  /** The piece that holds `offset`; else the one with the lowest `first` after it; else undefined. */
  find(id: RepresentationId, offset: number): PieceSpan | undefined;
  /**
   * The whole piece that `find` named, verified; undefined once it is gone (or was corrupt, and is now dropped). Its memory
   * is held for who gets it.
   */
  read(id: RepresentationId, first: number): Buffer | undefined | Promise<Buffer | undefined>;
  /** Offers a piece. The tier may decline, or holds its memory. Nobody writes to `bytes` afterwards, neither caller nor tier. */
  put(id: RepresentationId, first: number, bytes: Buffer): void;
  /** Forgets all pieces of that representation. */
  remove(id: RepresentationId): void;
  /**
   * Has `find` know again of pieces that are kept and that it has forgotten, where it knows but those of what was used
   * last. Undefined: it knows of all. Never rejects. Absent: it always does.
   */
  reopen?(id: RepresentationId): Promise<void> | undefined;
  /** Whether `bytes`, which `read` gave last, is held by nobody else, so that its memory may be given back. Absent: never. */
  isSole?(bytes: Buffer): boolean;
}

/** A stored response (RFC 9111 section 2) without its body: the body's pieces live in the tiers under `id`. */
export interface StoredResponse {
  readonly id: RepresentationId;
  readonly status: number;
  /** As received, less hop-by-hop fields (RFC 9111 section 3.1), Content-Length and Content-Range. */
  readonly fields: Fields;
  /** Complete length in bytes; undefined until a body of unknown length has ended. */
  readonly completeLength: number | undefined;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
  /** Request fields nominated by Vary with their normalised values, null for absent (RFC 9111 section 4.1). */
  readonly vary: readonly (readonly [name: string, value: string | null])[];
  /** Set by invalidation (RFC 9111 section 4.4): must be validated before the next use. */
  readonly invalidated: boolean;
}

/** All stored responses of one cache key, most recent first. */
export interface Entry {
  readonly key: string;
  readonly variants: readonly StoredResponse[];
}

/** Keeps entries across restarts. Implemented by the disk tier. Writes are queued; losing the last ones is allowed. */
export interface EntryStore {
  /**
   * Loads the entry and the piece spans of its variants, so that `Tier.find` answers for them without waiting. Undefined as
   * well when it cannot be read: never rejects.
   */
  load(key: string, signal: AbortSignal): Promise<Entry | undefined>;
  save(entry: Entry): void;
  delete(key: string): void;
  /** Keys in order. */
  keys(which: KeySelection, signal: AbortSignal): AsyncIterable<string>;
}

/** Keys with this prefix, or of responses with this tag (Cache-Tag, Surrogate-Key), or all. */
export type KeySelection = { readonly prefix: string } | { readonly tag: string } | 'all';

/** Cache behaviour of one origin map; one per entry under `maps` in the configuration. */
export interface MapPolicy {
  readonly name: string;
  /** Path prefix this map serves, `/` for all. */
  readonly prefix: string;
  readonly cors: boolean;
  /** Query parameters outside the key, by exact name (CMCD is among them by default). Still sent to the origin, except CMCD. */
  readonly queryIgnored: readonly string[];
  /** Targeted fields in order of precedence, lower case (RFC 9213 section 2.2): `eddy-cache-control`, `cdn-cache-control`. */
  readonly targetedFields: readonly string[];
  /** Freshness lifetime of media segments whose response has no explicit one. */
  readonly segmentLifetimeSeconds: number;
  /** Heuristic freshness: share of the time since Last-Modified, and its cap (RFC 9111 section 4.2.2). */
  readonly heuristicFraction: number;
  readonly heuristicLifetimeSecondsMax: number;
  /** Freshness lifetime of negative responses (404, 410, 5xx that may be stored) without an explicit one. */
  readonly negativeLifetimeSeconds: number;
  /** Applied where a response does not carry its own (RFC 5861). */
  readonly staleWhileRevalidateSeconds: number;
  readonly staleIfErrorSeconds: number;
  /** Whether Cache-Control of requests is honoured (RFC 9111 section 5.2.1). */
  readonly requestDirectives: boolean;
}

/** One request as the HTTP side hands it to the cache. */
export interface CacheRequest {
  readonly method: string;
  /** Origin-form, validated. */
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly fields: Fields;
  readonly body?: AsyncIterable<Uint8Array>;
  readonly policy: MapPolicy;
  /** `cacheKey` of target and policy, from who has it already. */
  readonly key?: string;
  /** Set for a request that a peer made: it is answered from the tiers and the origin, never by asking another peer. */
  readonly peersForbidden?: boolean;
  /** Set for a request that is to be answered from the tiers and what is in flight, or fails with `only-if-cached`. */
  readonly originForbidden?: boolean;
  /** Set for what the node wants for itself, ahead of viewers: what is read for it is not counted as given. */
  readonly ahead?: boolean;
  /** Aborted when the viewer is gone. */
  readonly signal: AbortSignal;
  readonly onInformational?: (status: number, fields: Fields) => void;
  /** What the connection of its viewer carried of late, in kbit/s; undefined: that is not known. Asked only if needed. */
  throughputKbps?(): number | undefined;
}

/** Parameters of our member of Cache-Status (RFC 9211 section 2). */
export interface CacheStatus {
  readonly hit: boolean;
  readonly fwd?: ForwardReason;
  readonly fwdStatus?: number;
  /** Remaining freshness in seconds, negative when stale. */
  readonly ttlSeconds?: number;
  readonly stored?: boolean;
  readonly collapsed?: boolean;
  readonly detail?: Source;
}

/** The bytes of a selected representation: whatever is stored, in flight, or still to be fetched. */
export interface Content {
  /** Undefined while a body of unknown length is still arriving. */
  readonly completeLength: number | undefined;
  /** first .. last as buffers when every byte can be had without waiting; undefined otherwise. Read-only. */
  peek(first: number, last: number): readonly Buffer[] | undefined;
  /** All that `peek` gave has been sent and is not looked at again. It need not be called. */
  release?(): void;
  /** Whether all that is stored of it came from the origin to this node since it started: nobody else gave of it. */
  readonly fetchedHere?: boolean;
  /** Where the byte at `first` would come from now; undefined where it is neither at hand nor on its way, or is none. */
  sourceOf(first: number): Source | undefined;
  /**
   * Bytes first .. last in order; to the end of the representation when `last` is undefined. Buffers are read-only, and
   * their memory is held for who gets them, who may let go of it (PieceMemory).
   * Throws EddyError when the rest cannot be had (what was given before is right).
   */
  read(first: number, last: number | undefined, signal: AbortSignal): AsyncIterable<Buffer>;
}

/** The cache's answer. `fields` carry Age, Via and Date already; Content-Length, Content-Range and Cache-Status are the HTTP side's. */
export type Answer = RepresentationAnswer | PassedAnswer;

/** A selected representation: the HTTP side evaluates preconditions and ranges against it. */
export interface RepresentationAnswer {
  readonly kind: 'representation';
  readonly status: number;
  readonly fields: Fields;
  readonly cacheStatus: CacheStatus;
  readonly content: Content;
  /** What the preconditions of the request leave to do, where the cache had to know; undefined: evaluate them. */
  readonly preconditions?: Verdict | undefined;
  /** The cache wants to be asked each time: no other thread may give this again by itself, be it fresh. */
  readonly askAgain?: boolean;
  /** Epoch milliseconds with fractions: when what the request was held for became known; undefined: it was not held. */
  readonly learntMs?: number | undefined;
}

/** The origin's own answer, to be sent on as it is. */
export interface PassedAnswer {
  readonly kind: 'passed';
  readonly status: number;
  readonly fields: Fields;
  readonly cacheStatus: CacheStatus;
  readonly body: AsyncIterable<Buffer>;
}

/** What a purge names. URLs and prefixes are absolute or start with "/"; their host is not compared: all lead to the same maps. */
export type Purge = { readonly url: string } | { readonly prefix: string } | { readonly tag: string } | 'all';

/** Whether a purge names what is stored under that key, with these fields. */
export type Named = (key: string, fields: Fields) => boolean;

/** What the HTTP side needs of the cache. */
export interface Cache {
  /** A fresh hit whose metadata is in memory, without waiting; undefined otherwise. */
  peek(request: CacheRequest): Answer | undefined;
  /**
   * Holds a request for something that is expected: `release` is called once, for all who wait for it in one turn, with
   * undefined where the request is to be answered like any other after all. Returns how to leave before that; undefined
   * for what is not to be held. Optional: `answer` holds too, at some more cost.
   */
  hold?(request: CacheRequest, release: (answer: Answer | undefined) => void): (() => void) | undefined;
  /** The answer to any request. Throws EddyError. */
  answer(request: CacheRequest): Promise<Answer>;
  /** Drops stored responses; resolves to how many. */
  purge(which: Purge, signal: AbortSignal): Promise<number>;
}
