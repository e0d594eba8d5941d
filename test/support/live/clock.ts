import { setTimeout as sleep } from 'node:timers/promises';

/** What time it is for an origin, and the means to wait: players need the real one, tests of rules one of their own. */
export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Resolves as soon as `nowMs()` is at least `ms`. Rejects when aborted. */
  until(ms: number, signal: AbortSignal): Promise<void>;
}

export const wallClock: Clock = {
  nowMs: () => Date.now(),
  async until(ms, signal) {
    // A timer may fire a millisecond early.
    for (let leftMs = ms - Date.now(); leftMs > 0; leftMs = ms - Date.now())
      await sleep(Math.ceil(leftMs), undefined, { signal });
  },
};

/** Stands still until it is set. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #waiting = new Set<{ readonly atMs: number; readonly resolve: () => void }>();

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** Waits that are not over. */
  get waiting(): number {
    return this.#waiting.size;
  }

  until(atMs: number, signal: AbortSignal): Promise<void> {
    if (atMs <= this.#nowMs) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const wait = { atMs, resolve };
      this.#waiting.add(wait);
      const stop = () => {
        this.#waiting.delete(wait);
        reject(signal.reason);
      };
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    });
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const wait of this.#waiting) {
      if (wait.atMs > this.#nowMs) continue;
      this.#waiting.delete(wait);
      wait.resolve();
    }
  }
}
