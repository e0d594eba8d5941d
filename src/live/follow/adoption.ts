import type { Manifest } from '../manifest.ts';

/**
 * What a version that came means beside the newest known one.
 * newer: media was added. changed: the same media, said otherwise. behind: another origin, or a cache, that lags.
 * restart: the numbers began anew; to be believed once it is seen again.
 */
type Step = 'same' | 'newer' | 'changed' | 'behind' | 'restart';

export function stepBetween(known: Manifest, came: Manifest): Step {
  if (known.version === came.version) return 'same';
  const [before, after] = [positionOf(known), positionOf(came)];
  if (before === undefined || after === undefined) return 'newer';
  const order = before.mediaSequence - after.mediaSequence || before.part - after.part;
  if (order < 0) return 'newer';
  if (order === 0) return 'changed';
  return overlaps(known, came) && isOfOneTime(known, came) ? 'behind' : 'restart';
}

/** Whether viewers would be taken back by it. */
export function goesBack(step: Step): boolean {
  return step === 'restart' || step === 'behind';
}

/** A restart is believed when it was seen this often in a row. */
const restartSightings = 2;

/** Decides which versions viewers may see: media must not go back for a moment; a real restart stays. */
export class Adoption {
  #restartsSeen = 0;
  #behindSinceMs: number | undefined;

  /** `behindMsMax`: how long one that lags is not given, while nothing else comes. */
  adopts(
    came: Manifest,
    { known, nowMs, behindMsMax }: { known: Manifest; nowMs: number; behindMsMax: number },
  ): boolean {
    const step = stepBetween(known, came);
    if (step === 'restart' && ++this.#restartsSeen < restartSightings) return false;
    if (step === 'behind') {
      this.#behindSinceMs ??= nowMs;
      return nowMs - this.#behindSinceMs > behindMsMax;
    }
    this.#restartsSeen = 0;
    this.#behindSinceMs = undefined;
    return true;
  }
}

/** Whether media of the older one is among what the known one names: the same stream, seen from further back. */
function overlaps(known: Manifest, came: Manifest): boolean {
  const names = new Set(segmentsOf(known));
  const older = segmentsOf(came);
  return older.some((url) => names.has(url)) || older.length === 0;
}

/** Whether the older one, by its dates, is as far behind as its numbers say; numbers that began anew may have come as far. */
function isOfOneTime(known: Manifest, came: Manifest): boolean {
  const { edgeMs, segmentSeconds, targetSeconds = known.updateSeconds } = known;
  if (known.kind === 'dash' || edgeMs === undefined || came.edgeMs === undefined) return true;
  const segments = (known.newest?.mediaSequence ?? 0) - (came.newest?.mediaSequence ?? 0);
  const seconds =
    segments === 0 || segmentSeconds === undefined
      ? segments * targetSeconds
      : segmentSeconds.slice(-segments).reduce((sum, each) => sum + each, 0);
  return Math.abs(edgeMs - came.edgeMs - seconds * 1000) <= datesApartMax * targetSeconds * 1000;
}

/** Clocks of two encoders may differ by so many target durations. */
const datesApartMax = 2;

/** Paths, since another origin has another host. */
function segmentsOf({ announced }: Manifest): string[] {
  return announced
    .filter(({ role }) => role === 'segment' || role === 'part')
    .map(({ url, range }) => `${URL.parse(url)?.pathname} ${range?.first}`);
}

/** A complete segment counts as beyond all of its parts. */
function positionOf({ newest }: Manifest): { mediaSequence: number; part: number } | undefined {
  return newest && { mediaSequence: newest.mediaSequence, part: newest.part ?? Number.MAX_SAFE_INTEGER };
}
