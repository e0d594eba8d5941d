import type { Manifest } from '../manifest.ts';
import type { Growth } from './poll-timing.ts';

/** Seconds of media by which a playlist grew, and by which it is expected to grow next. */
export function growth(
  before: Manifest | undefined,
  { newest, segmentSeconds, updateSeconds, edgeMs }: Manifest,
): Growth {
  const nextSeconds = segmentSeconds?.at(-1) || updateSeconds;
  if (before === undefined) return { seconds: 0, nextSeconds, edgeMs };
  const added = (newest?.mediaSequence ?? 0) - (before.newest?.mediaSequence ?? 0);
  if (segmentSeconds === undefined || added < 1) return { seconds: updateSeconds, nextSeconds };
  return { seconds: segmentSeconds.slice(-added).reduce((sum, each) => sum + each, 0), nextSeconds };
}
