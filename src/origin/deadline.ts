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
  #overdue: NodeJS.Immediate | undefined;

  /** Replaces the deadline that ran before. */
  start(rules: DeadlineRules): void {
    this.stop();
    this.#timer = setTimeout(() => {
      if (rules.ownWait?.()) this.#timer?.refresh();
      // What came while the process stood still is read first.
      else this.#overdue = setImmediate(rules.onLate);
    }, rules.timeoutMs);
  }

  /** Something came: the time runs anew. */
  touch(): void {
    if (this.#overdue !== undefined) clearImmediate(this.#overdue);
    this.#timer?.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#overdue);
    this.#timer = undefined;
  }
}
