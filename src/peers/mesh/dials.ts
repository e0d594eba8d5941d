interface Attempt {
  failures: number;
  nextMs: number;
  running: boolean;
}

interface AttemptOptions {
  /** Before the very first attempt. */
  readonly delayMs?: number;
  /** Between attempts, however many fail. */
  readonly pauseMsMax?: number;
}

const firstMs = 250;
const longestMs = 10_000;
const runningMax = 8;
const attemptsMax = 512;

/** When whom to dial: one attempt at a time for each, with a pause that doubles, and few at once. */
export class Dials {
  readonly #nowMs: () => number;
  readonly #random: () => number;
  readonly #attempts = new Map<string, Attempt>();
  #running = 0;

  constructor(nowMs: () => number, random: () => number) {
    this.#nowMs = nowMs;
    this.#random = random;
  }

  /** Runs `dial` unless it is too early for `key`. */
  attempt(
    key: string,
    dial: () => Promise<unknown>,
    { delayMs = 0, pauseMsMax = longestMs }: AttemptOptions = {},
  ): void {
    const nowMs = this.#nowMs();
    let attempt = this.#attempts.get(key);
    if (attempt === undefined) {
      if (this.#attempts.size >= attemptsMax) this.#forgetOldest();
      attempt = { failures: 0, nextMs: nowMs + delayMs, running: false };
      this.#attempts.set(key, attempt);
    }
    if (attempt.running || nowMs < attempt.nextMs || this.#running >= runningMax) return;
    void this.#run(attempt, { dial, pauseMsMax });
  }

  /** It is linked, or gone for good: the next attempt is a first one again. */
  forget(key: string): void {
    if (this.#attempts.get(key)?.running !== true) this.#attempts.delete(key);
  }

  #forgetOldest(): void {
    for (const [key, { running }] of this.#attempts) if (!running) return void this.#attempts.delete(key);
  }

  async #run(
    attempt: Attempt,
    { dial, pauseMsMax }: { dial: () => Promise<unknown>; pauseMsMax: number },
  ): Promise<void> {
    attempt.running = true;
    this.#running++;
    try {
      await dial();
      attempt.failures = 0;
    } catch {
      attempt.failures++;
    } finally {
      attempt.running = false;
      this.#running--;
      const pauseMs = Math.min(pauseMsMax, firstMs * 2 ** Math.min(attempt.failures, 10));
      attempt.nextMs = this.#nowMs() + pauseMs * (0.75 + this.#random() / 2);
    }
  }
}
