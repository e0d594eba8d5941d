import { hash } from 'node:crypto';
import { parse, setOptions, types } from 'hls-parser';
import { type Announced, type Manifest, manifestBytesMax } from '../manifest.ts';
import { dateRangeIds } from './date-ranges.ts';
import { announcedByMedia, announcedByMultivariant } from './hls-announced.ts';
import { deltaUpdate, segmentsToSkip } from './hls-delta.ts';
import { rewriteUris } from './hls-uris.ts';

/** Bounds on what the parser is given: some of its work grows with the square of these. */
const lineBytesMax = 16 * 1024;
const linesMax = 60_000;
const dateRangesMax = 2_000;
/** What a playlist says to last longer counts as a day: sums of all of them stay numbers, and times within a timer's reach. */
const secondsMax = 86_400;

/** Which the parser does not tell. */
const skipsDates = /^#EXT-X-SERVER-CONTROL:.*CAN-SKIP-DATERANGES=YES/m;
const namesKeys = /^#EXT-X-(?:SESSION-)?KEY:/m;
const none: ReadonlySet<string> = new Set();

setOptions({ silent: true, strictMode: false });

/** What a live media playlist says about itself beyond `Manifest`. */
interface MediaFacts {
  readonly targetSeconds: number;
  readonly partTargetSeconds: number | undefined;
  /** Media sequence number of the first segment. */
  readonly firstSequence: number;
  /** Parts of the segment after those. */
  readonly openParts: number;
  readonly canBlockReload: boolean;
  readonly canSkipUntilSeconds: number | undefined;
  /** Seconds of these parts. */
  readonly openSeconds: number;
  /** Seconds of each complete segment, oldest first. */
  readonly durations: readonly number[];
}

/** A playlist that was understood. Keeps its bytes, which nobody may write to. */
class HlsPlaylist implements Manifest {
  readonly kind: 'hls' | 'll-hls';
  readonly level: 'multivariant' | 'media';
  readonly live: boolean;
  readonly updateSeconds: number;
  readonly targetSeconds: number | undefined;
  readonly canBlockReload: boolean;
  readonly version: string;
  readonly windowSeconds: number | undefined;
  readonly segmentSeconds: readonly number[] | undefined;
  readonly newest: Manifest['newest'];
  readonly edgeMs: number | undefined;
  readonly canSkipDateRangesSeconds: number | undefined;
  readonly hasKeys: boolean;
  readonly segmentsId: string | undefined;
  #dateRangeIds: ReadonlySet<string> | undefined;
  #announced: readonly Announced[] | (() => readonly Announced[]);
  /** Undefined for a multivariant playlist. */
  readonly media: MediaFacts | undefined;
  readonly bytes: Buffer;
  readonly url: string;

  constructor(parsed: types.MasterPlaylist | types.MediaPlaylist, { bytes, url }: { bytes: Buffer; url: string }) {
    this.bytes = bytes;
    this.url = url;
    this.version = hash('sha1', bytes, 'base64url');
    this.level = parsed.isMasterPlaylist ? 'multivariant' : 'media';
    const from = { text: bytes.toString('latin1'), url };
    // Named first (docs/glossary.md).
    const announced = () =>
      parsed.isMasterPlaylist ? announcedByMultivariant(parsed, from) : announcedByMedia(parsed, from);
    this.#announced = announced;
    this.media = parsed.isMasterPlaylist ? undefined : factsOf(parsed);
    const parts = this.media?.partTargetSeconds;
    this.kind = parts === undefined ? 'hls' : 'll-hls';
    this.live = !parsed.isMasterPlaylist && !parsed.endlist && parsed.playlistType !== 'VOD';
    this.updateSeconds = parts ?? this.media?.targetSeconds ?? 0;
    this.targetSeconds = this.media?.targetSeconds;
    this.canBlockReload = this.media?.canBlockReload === true;
    this.windowSeconds = this.media && sum(this.media.durations);
    // With parts, versions come faster than segments do.
    this.segmentSeconds = parts === undefined ? this.media?.durations : undefined;
    this.newest = this.media && newestOf(this.media);
    this.edgeMs = parsed.isMasterPlaylist ? undefined : edgeOf(parsed);
    this.hasKeys = namesKeys.test(from.text);
    this.segmentsId = parsed.isMasterPlaylist ? undefined : segmentsIdOf(parsed);
    const skipsDateRanges = !parsed.isMasterPlaylist && skipsDates.test(from.text);
    this.canSkipDateRangesSeconds = skipsDateRanges ? this.media?.canSkipUntilSeconds : undefined;
  }

  /** Read once somebody asks: viewers who wait for the playlist do not wait for that too. */
  get announced(): readonly Announced[] {
    if (typeof this.#announced === 'function') this.#announced = this.#announced();
    return this.#announced;
  }

  rewrite(toEdge: (url: string) => string | undefined): Buffer {
    const text = this.bytes.toString('latin1');
    const rewritten = rewriteUris(text, { url: this.url, toEdge });
    return rewritten === text ? this.bytes : Buffer.from(rewritten, 'latin1');
  }

  get dateRangeIds(): ReadonlySet<string> {
    if (this.canSkipDateRangesSeconds === undefined) return none;
    this.#dateRangeIds ??= dateRangeIds(this.bytes.toString('latin1'));
    return this.#dateRangeIds;
  }

  delta(rewritten: Buffer, removedDateRanges?: readonly string[]): Buffer | undefined {
    const { canSkipUntilSeconds, durations, openSeconds } = this.media ?? {};
    if (canSkipUntilSeconds === undefined || durations === undefined || openSeconds === undefined) return undefined;
    const segments = segmentsToSkip(durations, { canSkipUntilSeconds, openSeconds });
    const text = deltaUpdate(rewritten.toString('latin1'), { segments, removedDateRanges });
    return text === undefined ? undefined : Buffer.from(text, 'latin1');
  }
}

/** Reads a playlist that came from that URL; undefined for what is none, or cannot be understood within bounds. */
export function parseHls(bytes: Buffer, url: string): HlsPlaylist | undefined {
  if (bytes.length > manifestBytesMax || !isHls(bytes)) return undefined;
  const text = bytes.toString('latin1').replace(/^\xef\xbb\xbf/, '');
  if (!isBounded(text)) return undefined;
  try {
    const parsed = parse(text);
    if (!(parsed instanceof types.MasterPlaylist || parsed instanceof types.MediaPlaylist)) return undefined;
    if (parsed instanceof types.MediaPlaylist && !isWhole(parsed)) return undefined;
    return new HlsPlaylist(parsed, { bytes, url });
  } catch {
    // The parser throws plain errors for what it cannot make sense of.
    return undefined;
  }
}

/** Whether it begins as every playlist does (RFC 8216bis section 4.4.1.1), a byte order mark left aside. */
export function isHls(bytes: Buffer): boolean {
  const start = bytes[0] === 0xef ? 3 : 0;
  return bytes.toString('latin1', start, start + 7) === '#EXTM3U';
}

function isBounded(text: string): boolean {
  let [lines, dateRanges, start] = [0, 0, 0];
  while (start < text.length) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    if (text.startsWith('#EXT-X-DATERANGE', start)) dateRanges++;
    if (++lines > linesMax || dateRanges > dateRangesMax || end - start > lineBytesMax) return false;
    start = end + 1;
  }
  return true;
}

/** A delta update says nothing without the playlist it is a difference to. */
function isWhole({ targetDuration, skip, mediaSequenceBase = 0 }: types.MediaPlaylist): boolean {
  const durations = Number.isFinite(targetDuration) && targetDuration > 0;
  return durations && !(skip > 0) && Number.isSafeInteger(mediaSequenceBase) && mediaSequenceBase >= 0;
}

function factsOf(playlist: types.MediaPlaylist): MediaFacts {
  const { segments, lowLatencyCompatibility: control, partTargetDuration } = playlist;
  const complete = segments.filter(({ uri }) => uri !== '');
  const open = segments.at(-1)?.uri === '' ? (segments.at(-1)?.parts ?? []) : [];
  const skip = control?.canSkipUntil;
  return {
    targetSeconds: bounded(playlist.targetDuration),
    partTargetSeconds: bounded(partTargetDuration) || undefined,
    firstSequence: playlist.mediaSequenceBase ?? 0,
    openParts: open.filter(({ hint }) => !hint).length,
    openSeconds: sum(open.filter(({ hint }) => !hint).map(({ duration }) => bounded(duration))),
    canBlockReload: control?.canBlockReload === true,
    canSkipUntilSeconds: skip !== undefined && skip > 0 ? skip : undefined,
    durations: complete.map(({ duration }) => bounded(duration)),
  };
}

/** Which they are is told by where they begin, how many there are, and the names of the first and the last. */
function segmentsIdOf({ segments, mediaSequenceBase = 0 }: types.MediaPlaylist): string {
  const complete = segments.filter(({ uri }) => uri !== '');
  const names = [complete[0], complete.at(-1)].map((each) => `${each?.uri} ${each?.byterange?.offset ?? ''}`);
  return `${mediaSequenceBase} ${complete.length} ${names.join(' ')}`;
}

function newestOf({ firstSequence, durations, openParts }: MediaFacts): Manifest['newest'] {
  const segments = durations.length;
  if (openParts > 0) return { mediaSequence: firstSequence + segments, part: openParts - 1 };
  return segments === 0 ? undefined : { mediaSequence: firstSequence + segments - 1 };
}

/** End of the newest media by the last EXT-X-PROGRAM-DATE-TIME. */
function edgeOf({ segments }: types.MediaPlaylist): number | undefined {
  const from = segments.findLastIndex(({ programDateTime }) => programDateTime !== undefined);
  const startMs = segments[from]?.programDateTime?.getTime();
  if (startMs === undefined || Number.isNaN(startMs)) return undefined;
  const seconds = segments.slice(from).map(({ uri, duration, parts }) => {
    const listed = parts.filter(({ hint }) => !hint).map((part) => bounded(part.duration));
    return uri === '' ? sum(listed) : bounded(duration);
  });
  return Math.round(startMs + sum(seconds) * 1000);
}

/** 0 for what is no length of time. */
function bounded(seconds: number | undefined): number {
  return seconds !== undefined && seconds > 0 ? Math.min(seconds, secondsMax) : 0;
}

function sum(list: readonly number[]): number {
  return list.reduce((total, each) => total + each, 0);
}
