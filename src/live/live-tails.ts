import type { Clock } from './clock.ts';

/** Renditions whose end was reached, at a time. */
const tailsMax = 512;
/** A player that has not asked for the next segment by then has left. */
const keptMs = 20_000;

/** Who asked last for a segment at the end of a live rendition: what is announced after it will be asked for next. By rendition. */
export class LiveTails<Seen> {
  readonly #clock: Clock;
  readonly #tails = new Map<string, { readonly seen: Seen; readonly untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: string, seen: Seen): void {
    this.#tails.delete(name);
    this.#tails.set(name, { seen, untilMs: this.#clock.nowMs() + keptMs });
    const [oldest] = this.#tails.keys();
    if (this.#tails.size > tailsMax && oldest !== undefined) this.#tails.delete(oldest);
  }

  /** Those of a manifest. */
  of(manifest: string): Seen[] {
    const nowMs = this.#clock.nowMs();
    const found: Seen[] = [];
    for (const [name, { seen, untilMs }] of this.#tails) {
      if (untilMs <= nowMs) this.#tails.delete(name);
      else if (name.startsWith(`${manifest} `)) found.push(seen);
    }
    return found;
  }
}
