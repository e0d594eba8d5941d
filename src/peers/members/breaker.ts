/** Failures in a row that open a breaker. */
const failuresMax = 3;
const openMsMin = 1_000;
const openMsMax = 60_000;

/**
 * Keeps a peer that fails repeatedly from being asked: for a second at first, for twice as long each time the one request
 * that is then let through fails too, and not at all once one succeeds.
 */
export class CircuitBreaker {
  readonly #nowMs: () => number;
  #failures = 0;
  #openMs = 0;
  #retryAtMs = 0;
  #trying = false;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether the peer may be asked now; changes nothing. */
  get allows(): boolean {
    return this.#openMs === 0 || (!this.#trying && this.#nowMs() >= this.#retryAtMs);
  }

  /** The peer is being asked. */
  asked(): void {
    if (this.#openMs > 0) this.#trying = true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openMs = 0;
    this.#trying = false;
  }

  failed(): void {
    this.#trying = false;
    if (++this.#failures < failuresMax) return;
    this.#openMs = Math.min(openMsMax, Math.max(openMsMin, this.#openMs * 2));
    this.#retryAtMs = this.#nowMs() + this.#openMs;
  }

  /** The request ended without saying anything about the peer. */
  undecided(): void {
    this.#trying = false;
  }
}
