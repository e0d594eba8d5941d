/** Time as the mirror sees it, so that tests can turn it. */
export interface Clock {
  nowMs(): number;
  /** Runs once after that time, or 24 days where it is longer, unless it is cancelled. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}

/** Epoch milliseconds with fractions: what is measured, whatever time the mirror sees. */
export const preciseNowMs = (): number => performance.timeOrigin + performance.now();

/** What is longer, node's timers take for a millisecond. */
const delayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: Date.now,
  after: (delayMs, run) => {
    const timer = setTimeout(run, Math.min(delayMs, delayMsMax)).unref();
    return () => clearTimeout(timer);
  },
};
