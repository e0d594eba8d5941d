interface UploadBudgetOptions {
  /** Bytes a second at that time of day; Infinity for no limit. Asked anew for each turn, so it may follow a schedule. */
  readonly bytesPerSecond: (nowMs: number) => number;
  readonly nowMs: () => number;
}

/** Bytes that may be sent at once after a pause, in seconds of the rate. */
const burstSeconds = 0.25;
const waitMsMax = 1_000;

/** A token bucket that all bodies to peers share, first come first served. */
export class UploadBudget {
  readonly #options: UploadBudgetOptions;
  #debtBytes = 0;
  #atMs: number;

  constructor(options: UploadBudgetOptions) {
    this.#options = options;
    this.#atMs = options.nowMs();
  }

  /** Whether there is a limit now, so that bytes have to be taken. */
  get isLimited(): boolean {
    return this.#debtBytes > 0 || this.#options.bytesPerSecond(this.#options.nowMs()) !== Number.POSITIVE_INFINITY;
  }

  /** How long whoever asks now would wait. */
  get waitMs(): number {
    const rate = this.#settle();
    return rate === Number.POSITIVE_INFINITY ? 0 : Math.max(0, (this.#debtBytes / rate - burstSeconds) * 1000);
  }

  /** Resolves when these bytes may be sent; rejects when aborted. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    let waitMs = this.waitMs;
    if (waitMs === 0 && this.#options.bytesPerSecond(this.#atMs) === Number.POSITIVE_INFINITY) return;
    this.#debtBytes += bytes;
    while (waitMs > 0) {
      const step = Math.min(waitMs, waitMsMax);
      await sleep(step, signal);
      waitMs -= step;
    }
  }

  #settle(): number {
    const nowMs = this.#options.nowMs();
    const rate = Math.max(1, this.#options.bytesPerSecond(nowMs));
    const paidBytes =
      rate === Number.POSITIVE_INFINITY ? this.#debtBytes : (rate * Math.max(0, nowMs - this.#atMs)) / 1000;
    this.#debtBytes = Math.max(0, this.#debtBytes - paidBytes);
    this.#atMs = nowMs;
    return rate;
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = () => reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  });
}
