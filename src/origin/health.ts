import { CircuitBreaker } from '../circuit-breaker.ts';
import type { EddyError } from '../errors.ts';

const downMsMax = 30_000;

export interface HealthReport {
  readonly state: 'up' | 'down';
  readonly failures: number;
  readonly lastError: string | undefined;
}

/** Passive health of one upstream: its circuit breaker, with what operators are to know of it. */
export class UpstreamHealth {
  readonly #breaker: CircuitBreaker;
  readonly #onChange: (report: HealthReport) => void;
  #lastError: string | undefined;

  constructor(nowMs: () => number, onChange: (report: HealthReport) => void) {
    this.#breaker = new CircuitBreaker({ nowMs, openMsMax: downMsMax });
    this.#onChange = onChange;
  }

  get report(): HealthReport {
    const { isOpen, failures } = this.#breaker;
    return { state: isOpen ? 'down' : 'up', failures, lastError: this.#lastError };
  }

  /** Whether a request may go there: up, or down long enough for a trial that nobody else is making. */
  get available(): boolean {
    return this.#breaker.allows;
  }

  /** A request goes there now. Exactly one of `succeeded`, `failed` and `abandoned` must follow. */
  begin(): void {
    this.#breaker.asked();
  }

  succeeded(): void {
    this.#changed(() => this.#breaker.succeeded());
  }

  failed(error: EddyError | string): void {
    this.#lastError = typeof error === 'string' ? error : error.message;
    this.#changed(() => this.#breaker.failed());
  }

  /** The request ended without saying anything about the upstream. */
  abandoned(): void {
    this.#breaker.undecided();
  }

  #changed(change: () => void): void {
    const before = this.#breaker.isOpen;
    change();
    if (this.#breaker.isOpen !== before) this.#onChange(this.report);
  }
}
