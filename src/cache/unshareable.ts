const keysMax = 10_000;
const lifetimeMs = 30_000;

/** Keys whose last response could not be stored: their requests do not wait for each other. Bounded, oldest out first. */
export class Unshareable {
  readonly #untilMs = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  has(key: string): boolean {
    return (this.#untilMs.get(key) ?? 0) > this.#now();
  }

  add(key: string): void {
    this.#untilMs.delete(key);
    this.#untilMs.set(key, this.#now() + lifetimeMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > keysMax && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  delete(key: string): void {
    this.#untilMs.delete(key);
  }
}
