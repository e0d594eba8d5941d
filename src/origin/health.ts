import type { EddyError } from '../errors.ts';

/** Thresholds of passive health. */
const healthDefaults = {
  /** Consecutive failures that mark an upstream as down. */
  failuresMax: 3,
  /** Down time after that; doubled by each failed trial. */
  downMs: 1_000,
  downMsMax: 30_000,
} as const;

export interface HealthReport {
  readonly state: 'up' | 'down';
  readonly failures: number;
  readonly lastError: string | undefined;
}

/**
 * Passive health of one upstream: down after consecutive failures; when the down time is over, one request at a time is
 * let through as a trial, and its outcome decides.
 */
export class UpstreamHealth {
  readonly #nowMs: () => number;
  readonly #onChange: (report: HealthReport) => void;
  #failures = 0;
  #lastError: string | undefined;
  #downMs = 0;
  #downUntilMs = 0;
  #onTrial = false;

  constructor(nowMs: () => number, onChange: (report: HealthReport) => void) {
    this.#nowMs = nowMs;
    this.#onChange = onChange;
  }

  get report(): HealthReport {
    return { state: this.#down ? 'down' : 'up', failures: this.#failures, lastError: this.#lastError };
  }

  /** Whether a request may go there: up, or down long enough for a trial that nobody else is making. */
  get available(): boolean {
    return !this.#down || (!this.#onTrial && this.#nowMs() >= this.#downUntilMs);
  }

  /** A request goes there now. Exactly one of `succeeded`, `failed` and `abandoned` must follow. */
  begin(): void {
    if (this.#down && this.#nowMs() >= this.#downUntilMs) this.#onTrial = true;
  }

  succeeded(): void {
    const wasDown = this.#down;
    this.#failures = 0;
    this.#downMs = 0;
    this.#onTrial = false;
    if (wasDown) this.#onChange(this.report);
  }

  failed(error: EddyError | string): void {
    this.#failures++;
    this.#lastError = typeof error === 'string' ? error : error.message;
    const wasDown = this.#down;
    const tried = this.#onTrial;
    this.#onTrial = false;
    if (this.#failures < healthDefaults.failuresMax || (wasDown && !tried)) return;
    this.#downMs = wasDown ? Math.min(this.#downMs * 2, healthDefaults.downMsMax) : healthDefaults.downMs;
    this.#downUntilMs = this.#nowMs() + this.#downMs;
    if (!wasDown) this.#onChange(this.report);
  }

  /** The request ended without saying anything about the upstream. */
  abandoned(): void {
    this.#onTrial = false;
  }

  get #down(): boolean {
    return this.#downMs > 0;
  }
}
