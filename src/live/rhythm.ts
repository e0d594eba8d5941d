/** Seconds between two asks are bounded, whatever a playlist says. */
const delayMsMin = 200;
const delayMsMax = 60_000;

export interface Load {
  readonly startedMs: number;
  readonly nowMs: number;
}

/** When to ask for a playlist again (RFC 8216bis section 6.3.4). */
export class Rhythm {
  #unchanged = 0;
  #failed = 0;

  /** A new version came. Milliseconds to wait. */
  changed({ startedMs, nowMs }: Load, updateSeconds: number): number {
    this.#unchanged = 0;
    this.#failed = 0;
    return bounded(startedMs + updateSeconds * 1000 - nowMs);
  }

  /** Half the time for a first repetition, longer for a playlist that stands still. */
  unchanged({ startedMs, nowMs }: Load, updateSeconds: number): number {
    this.#failed = 0;
    const times = Math.min(4, Math.max(1, this.#unchanged++ / 4));
    return bounded(startedMs + updateSeconds * 500 * times - nowMs);
  }

  /** The origin did not give one. */
  failed(updateSeconds: number): number {
    const times = Math.min(4, 1.5 ** this.#failed++);
    return bounded(Math.min(updateSeconds, 2) * 500 * times);
  }
}

function bounded(delayMs: number): number {
  return Math.min(delayMsMax, Math.max(delayMsMin, delayMs));
}
