interface DeadlineRules {
  readonly timeoutMs: number;
  /** Whether the wait is of our own making when the time is up: then it starts again. */
  readonly ownWait?: () => boolean;
  readonly onLate: () => void;
}

/**
 * One deadline at a time, exact to the millisecond: the timers of undici may be late by a second. Touching it is cheap
 * enough for every chunk.
 */
export class Deadline {
  #timer: NodeJS.Timeout | undefined;

  /** Replaces the deadline that ran before. */
  start(rules: DeadlineRules): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (rules.ownWait?.()) this.#timer?.refresh();
      else rules.onLate();
    }, rules.timeoutMs);
  }

  /** Something came: the time runs anew. */
  touch(): void {
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
