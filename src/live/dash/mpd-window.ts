import { type Announced, announcedMax } from '../manifest.ts';
import type { MpdTerms } from './mpd-representations.ts';
import type { Segments } from './mpd-segments.ts';
import type { SegmentSpan } from './mpd-timeline.ts';

/** What is new in a live MPD. */
export interface Window {
  /** Number or time of the newest segment that is there. */
  readonly mediaSequence: number | undefined;
  readonly updateSeconds: number;
  readonly edgeMs: number | undefined;
  /** The newest segments of each representation, and those that come before the next update. */
  readonly announced: () => Announced[];
}

/** Segments that are there already, beyond those that may have come since the last update. */
const backlog = 3;
const perRepresentationMax = 64;
const horizonSecondsMax = 60;
const updateSecondsUnknown = 2;
const updateSecondsMin = 0.25;

export function liveWindow(all: readonly Segments[], at: { terms: MpdTerms; nowMs: number }): Window {
  const edges = all.map((segments) => edgeOf(segments, at));
  const newest = edges.findLast(({ newest: span }) => span !== undefined);
  const first = edges.find((edge) => edge.newest !== undefined && samePeriod(edge, newest));
  const updateSeconds = updateSecondsOf(edges, { terms: at.terms, newest });
  return {
    mediaSequence: first?.newest && first.segments.sequence(first.newest),
    updateSeconds,
    edgeMs: first && edgeMsOf(first, at),
    announced: () => announce(edges, { ...at, updateSeconds }),
  };
}

interface Edge {
  readonly segments: Segments;
  /** How many segments are there. */
  readonly available: number;
  readonly newest: SegmentSpan | undefined;
}

function edgeOf(segments: Segments, { terms, nowMs }: { terms: MpdTerms; nowMs: number }): Edge {
  const available = availableAt(segments, nowMs, terms);
  return { segments, available, newest: available > 0 ? segments.spans?.at(available - 1) : undefined };
}

/** Segments that are there at that time (ISO/IEC 23009-1 section A.3.4); without a start time, those that are listed. */
function availableAt(segments: Segments, nowMs: number, { availabilityStartMs }: MpdTerms): number {
  const { spans, representation } = segments;
  const { period, availabilityTimeOffsetSeconds } = representation;
  if (spans === undefined) return 0;
  const listed = Number.isFinite(spans.count) ? spans.count : 0;
  if (availabilityStartMs === undefined || availabilityTimeOffsetSeconds === Number.POSITIVE_INFINITY) return listed;
  const intoPeriod = (nowMs - availabilityStartMs) / 1_000 - period.startSeconds;
  return segments.endedBy(intoPeriod + availabilityTimeOffsetSeconds);
}

function samePeriod(one: Edge, other: Edge | undefined): boolean {
  return one.segments.representation.period.startSeconds === other?.segments.representation.period.startSeconds;
}

function updateSecondsOf(
  edges: readonly Edge[],
  { terms, newest }: { terms: MpdTerms; newest: Edge | undefined },
): number {
  const { minimumUpdateSeconds = 0 } = terms;
  const current = edges.filter((edge) => edge.newest !== undefined && samePeriod(edge, newest));
  // Where segments are listed, whoever looks less often than they come learns of them late.
  if (minimumUpdateSeconds > 0 && !current.some(({ segments }) => segments.listed)) return minimumUpdateSeconds;
  const least = current.reduce(
    (seconds, { segments, newest: span }) => Math.min(seconds, span ? segments.durationSeconds(span) : seconds),
    minimumUpdateSeconds > 0 ? minimumUpdateSeconds : Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(least) ? Math.max(updateSecondsMin, least) : updateSecondsUnknown;
}

function edgeMsOf(
  { segments, newest }: Edge,
  { terms, nowMs }: { terms: MpdTerms; nowMs: number },
): number | undefined {
  if (newest === undefined || terms.availabilityStartMs === undefined) return undefined;
  const end = segments.representation.period.startSeconds + segments.endSeconds(newest);
  // A segment that is there early has not been made to its end.
  return Math.min(nowMs, terms.availabilityStartMs + end * 1_000);
}

function announce(edges: readonly Edge[], at: { terms: MpdTerms; nowMs: number; updateSeconds: number }): Announced[] {
  const groups: Announced[][] = [];
  const counts = new Map<string, number>();
  const max = Math.min(perRepresentationMax, Math.floor(announcedMax / 4 / Math.max(1, edges.length)));
  // From the newest period back, until enough of a rendition is found.
  for (const edge of edges.toReversed()) {
    const { rendition, before } = { ...edge.segments, rendition: edge.segments.representation.rendition };
    const left = max - (counts.get(rendition) ?? 0);
    const found = left > 0 ? newestOf(edge, { ...at, max: left }) : [];
    if (found.length > 0) groups.push([...before, ...found]);
    counts.set(rendition, (counts.get(rendition) ?? 0) + found.length);
  }
  return groups.toReversed().flat().slice(0, announcedMax);
}

function newestOf(
  { segments, available }: Edge,
  at: { terms: MpdTerms; nowMs: number; updateSeconds: number; max: number },
): Announced[] {
  const { spans } = segments;
  const sample = spans?.at(Math.max(0, available - 1));
  if (spans === undefined || sample === undefined) return [];
  const durationSeconds = Math.max(0.01, segments.durationSeconds(sample));
  const horizonSeconds = Math.min(at.updateSeconds, horizonSecondsMax) + durationSeconds;
  const back = Math.min(at.max, backlog + Math.ceil(Math.min(at.updateSeconds, horizonSecondsMax) / durationSeconds));
  const last = Math.min(availableAt(segments, at.nowMs + horizonSeconds * 1_000, at.terms), available + at.max);
  const found: Announced[] = [];
  for (let index = Math.max(0, available - back); index < last; index++) {
    const span = spans.at(index);
    const announced = span && segments.announce(span);
    if (span === undefined || announced === undefined) break;
    found.push(index < available ? announced : { ...announced, ...later(segments, span, at.terms) });
  }
  return found;
}

function later(
  segments: Segments,
  span: SegmentSpan,
  { availabilityStartMs = 0 }: MpdTerms,
): { availableAtMs: number } {
  const { period, availabilityTimeOffsetSeconds } = segments.representation;
  const seconds = period.startSeconds + segments.endSeconds(span) - availabilityTimeOffsetSeconds;
  return { availableAtMs: availabilityStartMs + seconds * 1_000 };
}
