import { partitionPoint } from '../../partition-point.ts';
import type { TimelineEntry } from './mpd-xml.ts';

/** A media segment of a representation. Ticks are those of its timescale. */
export interface SegmentSpan {
  /** From 0 on within its period. */
  readonly index: number;
  /** Media time at its start. */
  readonly time: bigint;
  readonly durationTicks: number;
}

/** The segments of a representation in one period, worked out when asked for: a few bytes may stand for millions. */
export interface SegmentSpans {
  /** Infinity: as long as the period goes on. */
  readonly count: number;
  at(index: number): SegmentSpan | undefined;
  /** How many of them have ended at that media time. */
  endedBy(time: bigint): number;
}

interface Run {
  readonly index: number;
  readonly time: bigint;
  readonly duration: number;
  readonly count: number;
}

interface Runs {
  readonly runs: readonly Run[];
  /** The last run repeats until somebody else says when. */
  readonly open: boolean;
}

/** Segments of one nominal duration. */
export function evenSpans(options: { firstTime: bigint; durationTicks: number; count: number }): SegmentSpans {
  const { firstTime, durationTicks, count } = options;
  return spansOf([{ index: 0, time: firstTime, duration: durationTicks, count }], count);
}

/** By timeline: many representations may take theirs from one adaptation set. */
const known = new WeakMap<readonly TimelineEntry[], Runs | 'contradictory'>();

/**
 * The segments of a timeline (ISO/IEC 23009-1 section 5.3.9.6). A negative `r` repeats up to the next entry that has a
 * time, or up to `endTime`, or without an end. Undefined where times go backwards or a repeat has no bound.
 */
export function timelineSpans(
  entries: readonly TimelineEntry[],
  endTime: bigint | undefined,
): SegmentSpans | undefined {
  const found = known.getOrInsertComputed(entries, () => runsOf(entries) ?? 'contradictory');
  if (found === 'contradictory') return undefined;
  const last = found.runs.at(-1);
  if (last === undefined) return undefined;
  return spansOf(found.runs, found.open ? repeatsUntil(endTime, last.time, last.duration) : last.count);
}

function runsOf(entries: readonly TimelineEntry[]): Runs | undefined {
  const runs: Run[] = [];
  let [index, time, open] = [0, 0n, false];
  for (const [at, entry] of entries.entries()) {
    const start = entry.time ?? time;
    if (start < time || entry.duration <= 0 || !Number.isSafeInteger(index)) return undefined;
    const until = entries[at + 1]?.time;
    open = entry.repeat < 0;
    if (open && until === undefined && at < entries.length - 1) return undefined;
    const count = open ? repeatsUntil(until ?? start, start, entry.duration) : entry.repeat + 1;
    runs.push({ index, time: start, duration: entry.duration, count });
    index += count;
    // The next entry may start a little before the end of repeats that are only bounded by it.
    time = open ? (until ?? start) : start + BigInt(count) * BigInt(entry.duration);
  }
  return { runs, open };
}

function repeatsUntil(until: bigint | undefined, start: bigint, duration: number): number {
  if (until === undefined) return Number.POSITIVE_INFINITY;
  const length = until - start;
  return length <= 0n ? 0 : Number((length + BigInt(duration) - 1n) / BigInt(duration));
}

function spansOf(runs: readonly Run[], lastCount: number): SegmentSpans {
  const last = runs.at(-1);
  const countOf = (run: Run): number => (run === last ? lastCount : run.count);
  const count = last === undefined ? 0 : last.index + lastCount;
  return {
    count,
    at: (index) => {
      const run = lastWhere(runs, (each) => each.index <= index);
      if (run === undefined || index - run.index >= countOf(run) || !Number.isSafeInteger(index)) return undefined;
      const time = run.time + BigInt(index - run.index) * BigInt(run.duration);
      return { index, time, durationTicks: run.duration };
    },
    endedBy: (time) => {
      const run = lastWhere(runs, (each) => each.time + BigInt(each.duration) <= time);
      return run === undefined
        ? 0
        : run.index + Math.min(countOf(run), Number((time - run.time) / BigInt(run.duration)));
    },
  };
}

/** The last run of those at the start for which it holds. */
function lastWhere(runs: readonly Run[], holds: (run: Run) => boolean): Run | undefined {
  return runs[partitionPoint(runs.length, (i) => holds(runs[i] as Run)) - 1];
}
