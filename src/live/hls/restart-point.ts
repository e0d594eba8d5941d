import { datesOf, type HlsBlocks, hasOpenRange, secondsOf } from './hls-blocks.ts';

/**
 * Where the media begin that viewers who have `old` have not had: index of a segment, that of the rest where only parts are
 * new. Undefined: nowhere yet. `elapsedMs`: since the newest of `old` were first seen.
 */
export function startOf(now: HlsBlocks, old: HlsBlocks, elapsedMs: number): number | undefined {
  const open = secondsOf(now.rest) > 0;
  const count = now.segments.length + (open ? 1 : 0);
  if (count === 0) return undefined;
  let start = byDate(now, { old, count, elapsedMs });
  if (start === 'nothing new') return undefined;
  start ??= byTime(now, { count, elapsedMs });
  while (start > 0 && hasOpenRange(now.segments[start] ?? [])) start--;
  return start;
}

/** Undefined: dates say nothing, or nothing that can be. */
function byDate(
  now: HlsBlocks,
  { old, count, elapsedMs }: { old: HlsBlocks; count: number; elapsedMs: number },
): number | 'nothing new' | undefined {
  const endMs = datesOf(old).at(-1);
  const dates = datesOf(now).slice(0, count);
  const newest = dates.at(-1);
  if (endMs === undefined || newest === undefined || newest > endMs + elapsedMs + clockSkewMs) return undefined;
  const lengthMs = secondsOf(now.segments.at(-1) ?? now.rest) * 1000;
  const start = dates.findIndex((date) => date !== undefined && date >= endMs - lengthMs / 2);
  if (start >= 0) return start;
  return elapsedMs < patienceSegments * lengthMs ? 'nothing new' : undefined;
}

/** How far an encoder's clock may be ahead of the one before. */
const clockSkewMs = 10_000;
/** How long to wait for media that are newer by their date: so many segments. */
const patienceSegments = 4;

/** No more media than time has passed, but something. */
function byTime(now: HlsBlocks, { count, elapsedMs }: { count: number; elapsedMs: number }): number {
  const lengths = [...now.segments, now.rest].slice(0, count).map((lines) => secondsOf(lines) * 1000);
  let leftMs = elapsedMs;
  let start = count - 1;
  for (leftMs -= lengths[start] ?? 0; start > 0 && leftMs >= (lengths[start - 1] ?? 0); start--)
    leftMs -= lengths[start - 1] ?? 0;
  return start;
}
