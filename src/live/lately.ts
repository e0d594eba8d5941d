import type { Clock } from './clock.ts';

/** Names that something was done about a while ago: bounded in number and time. */
export class Lately {
  readonly #untilMs = new Map<string, number>();
  readonly #clock: Clock;
  readonly #forMs: number;
  readonly #max: number;

  constructor(clock: Clock, { forMs, max }: { forMs: number; max: number }) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#max = max;
  }

  has(name: string): boolean {
    const untilMs = this.#untilMs.get(name);
    return untilMs !== undefined && untilMs > this.#clock.nowMs();
  }

  add(name: string): void {
    this.#untilMs.delete(name);
    this.#untilMs.set(name, this.#clock.nowMs() + this.#forMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > this.#max && oldest !== undefined) this.#untilMs.delete(oldest);
  }
}
