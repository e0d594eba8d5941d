import type { Clock } from '../clock.ts';
import type { AheadContext } from './ahead-fetch.ts';
import type { ClientData } from './cmcd.ts';

/** What a viewer asked for, who is at the newest of a live rendition. */
export interface Watched {
  readonly context: AheadContext;
  readonly key: string;
  /** First byte that was asked for, where it was a range. */
  readonly first: number | undefined;
  readonly data: ClientData | undefined;
}

interface Watch extends Watched {
  readonly untilMs: number;
  cancel: (() => void) | undefined;
}

/** Longer than the segments of nearly all channels: a viewer asks once in each. */
const watchedMs = 15_000;
const renditionsMax = 256;

/**
 * Renditions of live channels whose viewers have all there is. What comes next is not named yet, or not there yet: they
 * are looked at again when another version of the manifest came, and when the next segment is there by its clock.
 */
export class EdgeWatch {
  readonly #clock: Clock;
  readonly #again: (watched: Watched) => void;
  /** By name: manifest, then rendition. Seen longest ago first. */
  readonly #watches = new Map<string, Watch>();

  constructor(clock: Clock, again: (watched: Watched) => void) {
    this.#clock = clock;
    this.#again = again;
  }

  /** A viewer asked for that. `nextAtMs`: when the next segment is there, where that is known. */
  seen(name: string, watched: Watched, nextAtMs: number | undefined): void {
    this.#remove(name);
    const untilMs = this.#clock.nowMs() + watchedMs;
    this.#watches.set(name, { ...watched, untilMs, cancel: undefined });
    this.#awaits(name, nextAtMs);
    const [oldest] = this.#watches.keys();
    if (this.#watches.size > renditionsMax && oldest !== undefined) this.#remove(oldest);
  }

  /** The next segment of that rendition is there then. */
  awaits(name: string, nextAtMs: number | undefined): void {
    if (this.#watches.has(name)) this.#awaits(name, nextAtMs);
  }

  /** Another version of that manifest came. */
  advanced(manifest: string): void {
    for (const name of [...this.#watches.keys()]) if (name.startsWith(`${manifest} `)) this.#look(name);
  }

  close(): void {
    for (const name of [...this.#watches.keys()]) this.#remove(name);
  }

  #awaits(name: string, nextAtMs: number | undefined): void {
    const watch = this.#watches.get(name);
    const delayMs = (nextAtMs ?? Number.POSITIVE_INFINITY) - this.#clock.nowMs();
    if (watch === undefined || delayMs > watchedMs) return;
    watch.cancel?.();
    watch.cancel = this.#clock.after(Math.max(0, delayMs), () => this.#look(name));
  }

  #look(name: string): void {
    const watch = this.#watches.get(name);
    if (watch === undefined) return;
    watch.cancel?.();
    watch.cancel = undefined;
    if (watch.untilMs < this.#clock.nowMs()) this.#watches.delete(name);
    else this.#again(watch);
  }

  #remove(name: string): void {
    this.#watches.get(name)?.cancel?.();
    this.#watches.delete(name);
  }
}
