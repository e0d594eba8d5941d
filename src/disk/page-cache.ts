/** A read that takes longer did not come from memory, which takes 0.05 ms, or the thread had to wait for its turn. */
const slowMs = 2;
const distrustMs = { first: 1_000, max: 32_000 };

/**
 * Whether reads that should come from the page cache do. Only those may be made without leaving the thread: a device
 * that is slow, or hangs, would hold up everybody. So one slow read ends them for a while, longer each time in a row.
 */
export class PageCacheTrust {
  /** How many times the process has waited for a device so far. */
  readonly #deviceReads: () => number;
  #deviceReadsSeen = 0;
  #distrustedUntilMs = 0;
  #distrustMs = distrustMs.first;
  #isProven = true;

  constructor(deviceReads = deviceReadsOfProcess) {
    this.#deviceReads = deviceReads;
  }

  holds(nowMs: number): boolean {
    return nowMs >= this.#distrustedUntilMs;
  }

  /** A read was made in the thread. */
  took(ms: number, nowMs: number): void {
    if (ms <= slowMs) {
      this.#isProven ||= nowMs - this.#distrustedUntilMs > this.#distrustMs;
      return;
    }
    const deviceReads = this.#deviceReads();
    if (deviceReads === this.#deviceReadsSeen) return;
    this.#deviceReadsSeen = deviceReads;
    this.#distrustMs = this.#isProven ? distrustMs.first : Math.min(2 * this.#distrustMs, distrustMs.max);
    this.#distrustedUntilMs = nowMs + this.#distrustMs;
    this.#isProven = false;
  }
}

function deviceReadsOfProcess(): number {
  const { majorPageFault, fsRead } = process.resourceUsage();
  return majorPageFault + fsRead;
}
