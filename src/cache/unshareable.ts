const keysMax = 10_000;
const lifetimeMs = 30_000;

/** Names of fetches whose last response could not be stored: such requests do not wait for each other. Bounded, oldest out first. */
export class Unshareable {
  readonly #untilMs = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  has(name: string | undefined): boolean {
    return name !== undefined && (this.#untilMs.get(name) ?? 0) > this.#now();
  }

  /** Undefined: it is not shared anyway. */
  add(name: string | undefined): void {
    if (name === undefined) return;
    this.#untilMs.delete(name);
    this.#untilMs.set(name, this.#now() + lifetimeMs);
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size > keysMax && oldest !== undefined) this.#untilMs.delete(oldest);
  }

  delete(name: string | undefined): void {
    if (name !== undefined) this.#untilMs.delete(name);
  }
}
