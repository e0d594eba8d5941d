/** Two asks are never closer together, nor further apart while the origin answers. */
const delayMsMin = 100;
export const delayMsMax = 60_000;
const failingMsMax = 1_000;

/** How exactly it is worth knowing when the next version comes: in milliseconds, and as a share of the time between two. */
const widthMsMin = 120;
const widthShare = 1 / 20;
/** Where between earliest and latest to try: one that finds it costs nothing, so rather late than in the middle. */
const tryShare = 0.75;
/** Asks that may come too early: this many at first, and this share of the versions. */
const creditsMax = 2;
const creditPerVersion = 0.04;
/** What is known of the time of appearance is widened by that with each version: clocks drift, encoders do not tick. */
const driftMs = 4;
/** How long after its media have ended a version is looked for first, where the channel's clock tells when that was. */
const hintedMs = 150;
/** How slowly it is forgotten that a version took longer than expected. */
const slackKept = 0.95;
/** How long after the latest expected moment the first of several asks is made. */
const marginMs = 15;

interface Load {
  readonly startedMs: number;
  readonly nowMs: number;
}

/** Seconds of media. `edgeMs`: when the newest ended, epoch milliseconds by the channel's own clock. */
export interface Growth {
  readonly seconds: number;
  readonly nextSeconds: number;
  readonly edgeMs?: number | undefined;
}

/**
 * When to ask for a playlist again. RFC 8216bis section 6.3.4 lets a client ask once in a target duration, and again
 * after half of one: then all viewers would be late by up to that much. A live playlist grows with the media though, so
 * that the moment of its next version can be told: by narrowing down what is not known of it, a
 * few asks that come too early find it, and from then on there is one ask for each version, just after it appeared.
 */
export class PollTiming {
  /** Media so far, on a clock of its own. */
  #positionMs = 0;
  /** Between the end of the newest media on that clock and its appearance lie these milliseconds. */
  #earliest = Number.NEGATIVE_INFINITY;
  #latest = Number.POSITIVE_INFINITY;
  /** Until the next version, and by how much more it took at times. */
  #stepMs = 0;
  #slackMs = 0;
  #credits = creditsMax;
  #unchanged = 0;
  #lates = 0;
  #unchangedMs = Number.NEGATIVE_INFINITY;
  #failed = 0;
  #hinted = false;

  /** A new version came: `seconds` of media were added, and so many are expected next. Milliseconds to wait. */
  changed({ startedMs, nowMs }: Load, { seconds, nextSeconds, edgeMs }: Growth): number {
    const first = this.#stepMs === 0;
    const addedMs = seconds * 1000;
    if (this.#stepMs > 0 && addedMs < 1.9 * this.#stepMs)
      this.#slackMs = Math.min(this.#stepMs / 4, Math.max(addedMs - this.#stepMs, this.#slackMs * slackKept));
    this.#positionMs += addedMs;
    this.#stepMs = nextSeconds * 1000;
    this.#learn(startedMs, nowMs);
    if (first) this.#hint(edgeMs, nowMs);
    this.#unchanged = 0;
    this.#unchangedMs = Number.NEGATIVE_INFINITY;
    this.#failed = 0;
    this.#credits = Math.min(creditsMax, this.#credits + creditPerVersion);
    return this.#until(nowMs);
  }

  /** It is not there yet. */
  unchanged({ startedMs, nowMs }: Load): number {
    this.#failed = 0;
    this.#unchanged++;
    this.#unchangedMs = startedMs;
    if (this.#stepMs === 0) return bounded(1_000);
    this.#credits = Math.max(-creditsMax, this.#credits - 1);
    const dueMs = this.#positionMs + this.#stepMs + this.#latest + this.#slackMs + marginMs;
    if (dueMs > nowMs + delayMsMin) return bounded(dueMs - nowMs);
    // The encoder is late, or stands still.
    if (this.#unchanged <= 3 && this.#credits > -creditsMax) return bounded(this.#stepMs / 8);
    return bounded((this.#stepMs / 2) * Math.min(4, Math.max(1, this.#unchanged / 4)));
  }

  /**
   * The origin did not give one: often at first, since others may be asked next, then every part, or second. A player
   * that has nothing of what its playlist names when that comes at last may stand still: Shaka does.
   */
  failed(): number {
    const least = Math.min(this.#stepMs === 0 ? 1_000 : this.#stepMs, 2_000) / 4;
    return bounded(Math.min(failingMsMax, least * Math.min(4, 1.5 ** this.#failed++)));
  }

  /** The version that came appeared after the last ask that did not find it, and before now. */
  #learn(startedMs: number, nowMs: number): void {
    const latest = nowMs - this.#positionMs;
    const earliest = Math.max(this.#unchangedMs, startedMs - 2 * this.#stepMs) - this.#positionMs;
    const known = this.#latest !== Number.POSITIVE_INFINITY;
    const late = known && this.#unchangedMs - this.#positionMs > this.#latest;
    this.#lates = late ? this.#lates + 1 : 0;
    // Once is a hiccup of the encoder, twice is another beat.
    if (this.#lates === 1) return;
    this.#latest = late ? latest : Math.min(this.#latest + driftMs, latest);
    this.#earliest = Math.max(this.#earliest - driftMs, earliest);
    if (this.#earliest > this.#latest) this.#earliest = earliest;
  }

  /** By the channel's own clock its newest media ended then: it appeared no earlier, and most often soon after. */
  #hint(edgeMs: number | undefined, nowMs: number): void {
    if (edgeMs === undefined || edgeMs > nowMs || nowMs - edgeMs > 2 * this.#stepMs) return;
    this.#earliest = Math.max(this.#earliest, edgeMs - this.#positionMs);
    this.#hinted = true;
  }

  #until(nowMs: number): number {
    const next = this.#positionMs + this.#stepMs;
    const exact = Math.max(widthMsMin, this.#stepMs * widthShare, this.#slackMs);
    const tries = this.#latest - this.#earliest > exact && this.#credits >= 1;
    const width = this.#latest - this.#earliest;
    const at = tries
      ? this.#earliest + (this.#hinted ? Math.min(hintedMs, width) : width * tryShare)
      : this.#latest + marginMs;
    this.#hinted = false;
    return bounded(next + at + this.#slackMs - nowMs);
  }
}

function bounded(delayMs: number): number {
  return Math.min(delayMsMax, Math.max(delayMsMin, delayMs));
}
