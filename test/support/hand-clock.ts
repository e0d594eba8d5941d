import type { Clock } from '../../src/live/clock.ts';

/** A clock that stands still until it is turned. */
export class HandClock implements Clock {
  #nowMs = Date.now();
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    // One of node's would run at once.
    if (!(delayMs >= 0)) throw new RangeError(`a timer of ${delayMs} ms`);
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Turns it on, running what falls due in order. */
  turn(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.run();
    }
    this.#nowMs = endMs;
  }

  /** Turns it on by as little as the next timer needs; false when nothing waits for it within that time. */
  turnToNext(withinMs: number): boolean {
    const next = Math.min(...[...this.#timers].map(({ atMs }) => atMs));
    if (next > this.#nowMs + withinMs) return false;
    this.turn(Math.max(0, next - this.#nowMs));
    return true;
  }
}
