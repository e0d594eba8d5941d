/** What a manifest (HLS playlist, DASH MPD) names: a resource a player will ask for, in the order it will. */
export interface Announced {
  readonly role: 'playlist' | 'init' | 'segment' | 'part' | 'hint' | 'key' | 'other';
  /** Absolute URL at the origin, query included. */
  readonly url: string;
  /** Bytes first .. last where the manifest names a part of the resource; `last` undefined: to the end. */
  readonly range?: { readonly first: number; readonly last?: number };
  /** Seconds of media, where the manifest says. */
  readonly durationSeconds?: number;
  /** Epoch milliseconds from which the origin has it; undefined: now. */
  readonly availableAtMs?: number;
  /** Which rendition or representation of the stream it belongs to: bounded by what the manifest lists. */
  readonly rendition?: string;
}

/** A manifest as the live mirror sees it. Made by `parseHls` or `parseMpd`; those return undefined for what they cannot understand. */
export interface Manifest {
  readonly kind: 'hls' | 'll-hls' | 'dash';
  /** `multivariant`: names playlists only. DASH is always `media`. */
  readonly level: 'multivariant' | 'media';
  /** False: it will not change any more (`EXT-X-ENDLIST`, VOD, static MPD), or nobody can tell (multivariant). */
  readonly live: boolean;
  /** Seconds between two versions when all is well: target duration, part target, or `minimumUpdatePeriod`. */
  readonly updateSeconds: number;
  /** HLS: the target duration. DASH: the longest segment, where known. */
  readonly targetSeconds?: number | undefined;
  /** HLS: the origin holds requests for versions to come (RFC 8216bis section 6.2.5.2). */
  readonly canBlockReload?: boolean;
  /** DASH: its segments come by the clock, so that no new version is expected when it is asked for again. */
  readonly clocked?: boolean;
  /** Equal for two versions that say the same of the media. */
  readonly version: string;
  /** Seconds of media in the window, where known. */
  readonly windowSeconds: number | undefined;
  /** HLS: seconds of each complete segment, oldest first. */
  readonly segmentSeconds?: readonly number[] | undefined;
  /** HLS media sequence number of the newest segment; DASH: number or time of the newest segment. */
  readonly newest: { readonly mediaSequence: number; readonly part?: number } | undefined;
  /** Epoch milliseconds of the live edge by the manifest's own clock (program date time, availability), where it has one. */
  readonly edgeMs: number | undefined;
  /** HLS: whether it names keys; undefined: perhaps. */
  readonly hasKeys?: boolean;
  /** HLS: equal for two versions of a playlist that name the same complete segments. */
  readonly segmentsId?: string | undefined;
  /** Everything it names, oldest first within a rendition. Bounded: at most `announcedMax`. */
  readonly announced: readonly Announced[];
  /** The same manifest for viewers of the edge; the identical buffer where nothing had to change. */
  rewrite(toEdge: (url: string) => string | undefined): Buffer;
  /** HLS: IDs of its date ranges, where clients may skip those. */
  readonly dateRangeIds?: ReadonlySet<string>;
  /** HLS: the Skip Boundary in seconds, where delta updates may leave out date ranges too. */
  readonly canSkipDateRangesSeconds?: number | undefined;
  /**
   * HLS: a rewritten playlist without the segments that a client has already (section 6.2.5.1); undefined: no such thing.
   * `removedDateRanges`: for a client that keeps those it knows, the IDs of those that are gone.
   */
  delta?(rewritten: Buffer, removedDateRanges?: readonly string[]): Buffer | undefined;
}

export const announcedMax = 20_000;
/** Larger manifests are passed on as they are. */
export const manifestBytesMax = 4 * 1024 * 1024;
