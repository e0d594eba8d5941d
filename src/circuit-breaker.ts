/** Failures in a row that open a breaker. */
const failuresMax = 3;
const openMsMin = 1_000;

/**
 * Keeps a server that fails repeatedly from being asked: for a second at first, for twice as long each time the one request
 * that is then let through fails too, and not at all once one succeeds.
 */
export class CircuitBreaker {
  readonly #nowMs: () => number;
  readonly #openMsMax: number;
  #failures = 0;
  /** 0: closed. */
  #openMs = 0;
  #retryAtMs = 0;
  #trying = false;

  constructor({ nowMs, openMsMax }: { nowMs: () => number; openMsMax: number }) {
    this.#nowMs = nowMs;
    this.#openMsMax = openMsMax;
  }

  /** Whether it has opened, and nothing has succeeded since. */
  get isOpen(): boolean {
    return this.#openMs > 0;
  }

  /** In a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether the server may be asked now: the breaker is closed, or has been open long enough for a trial. */
  get allows(): boolean {
    return !this.isOpen || (!this.#trying && this.#isDue);
  }

  /** The server is being asked. `succeeded`, `failed` or `undecided` must follow. */
  asked(): void {
    if (this.isOpen && this.#isDue) this.#trying = true;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openMs = 0;
    this.#trying = false;
  }

  /** Of an open breaker only the trial counts: what fails with one connection fails at once, and was asked before. */
  failed(): void {
    this.#failures++;
    const counts = this.isOpen ? this.#trying : this.#failures >= failuresMax;
    this.#trying = false;
    if (!counts) return;
    this.#openMs = Math.min(this.#openMsMax, Math.max(openMsMin, this.#openMs * 2));
    this.#retryAtMs = this.#nowMs() + this.#openMs;
  }

  /** The request ended without saying anything about the server. */
  undecided(): void {
    this.#trying = false;
  }

  get #isDue(): boolean {
    return this.#nowMs() >= this.#retryAtMs;
  }
}
