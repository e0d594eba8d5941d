/** Who asks for a playlist, told from how often: a player asks once for each version. */
export class Audience {
  /** Requests of viewers so far. */
  requests = 0;
  #sinceMs = 0;
  #counted = 0;
  #perSecond: number | undefined;

  /** A viewer was answered. */
  asked(nowMs: number): void {
    this.requests++;
    this.#counted++;
    this.#roll(nowMs);
  }

  /** How many watch, about; `updateSeconds`: between two requests of one of them. */
  viewers(nowMs: number, updateSeconds: number): number {
    this.#roll(nowMs);
    const seconds = Math.max(0.001, (nowMs - this.#sinceMs) / 1000);
    const perSecond = this.#perSecond ?? this.#counted / Math.max(seconds, updateSeconds);
    return Math.round(perSecond * updateSeconds);
  }

  #roll(nowMs: number): void {
    if (this.#sinceMs === 0) this.#sinceMs = nowMs;
    const passedMs = nowMs - this.#sinceMs;
    if (passedMs < periodMs) return;
    // After a pause of several periods, what was counted says nothing any more.
    this.#perSecond = passedMs > 3 * periodMs ? 0 : (this.#counted * 1000) / passedMs;
    this.#counted = 0;
    this.#sinceMs = nowMs;
  }
}

/** Longer than the target duration of nearly all channels. */
const periodMs = 12_000;
