import type { Clock } from '../clock.ts';

interface BackgroundFetchesOptions {
  readonly clock: Clock;
  /** Fetches at once. */
  readonly requestsMax: number;
  /** Each is given up after that. */
  readonly timeoutMs: number;
}

/** Runs fetches that nobody waits for: so many at once, each under a deadline. */
export class BackgroundFetches {
  readonly #options: BackgroundFetchesOptions;
  #running = 0;

  constructor(options: BackgroundFetchesOptions) {
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
