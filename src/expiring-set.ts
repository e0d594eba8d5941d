import { BoundedMap } from './bounded-map.ts';

/** Names that something was done about a while ago: bounded in number and time. */
export class ExpiringSet {
  readonly #untilMs: BoundedMap<string, number>;
  readonly #forMs: number;
  readonly #nowMs: () => number;

  constructor({ forMs, namesMax, nowMs }: { forMs: number; namesMax: number; nowMs: () => number }) {
    this.#untilMs = new BoundedMap(namesMax);
    this.#forMs = forMs;
    this.#nowMs = nowMs;
  }

  has(name: string): boolean {
    const untilMs = this.#untilMs.get(name);
    return untilMs !== undefined && untilMs > this.#nowMs();
  }

  add(name: string): void {
    this.#untilMs.set(name, this.#nowMs() + this.#forMs);
  }

  delete(name: string): void {
    this.#untilMs.delete(name);
  }
}
