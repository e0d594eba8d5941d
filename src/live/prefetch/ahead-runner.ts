import type { Clock } from '../clock.ts';

interface AheadRunnerOptions {
  readonly clock: Clock;
  /** Fetches at once. */
  readonly requestsMax: number;
  /** Each is given up after that. */
  readonly timeoutMs: number;
}

/** Runs fetches that nobody waits for: so many at once, each under a deadline. */
export class AheadRunner {
  readonly #options: AheadRunnerOptions;
  #running = 0;

  constructor(options: AheadRunnerOptions) {
    this.#options = options;
  }

  get hasRoom(): boolean {
    return this.#running < this.#options.requestsMax;
  }

  /** The fetch heeds the signal of the controller, which is aborted after the deadline. Rejects as it does. */
  async run<T>(controller: AbortController, fetch: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const cancel = clock.after(timeoutMs, () => controller.abort());
    this.#running++;
    try {
      return await fetch(controller.signal);
    } finally {
      cancel();
      this.#running--;
    }
  }
}
