import type { Clock } from '../clock.ts';

/** A version to wait for: that media sequence number, complete or up to that part. */
export interface AwaitedVersion {
  readonly msn: number;
  readonly part: number | undefined;
}

interface Waiter<T> {
  readonly wanted: AwaitedVersion;
  readonly untilMs: number;
  readonly release: (value: T | undefined) => void;
}

/** More than this many held requests for one playlist are answered at once instead. */
const waitersMax = 65_536;
/** Those whose time is up are looked for no more often than that. */
const sweepMsMin = 50;

/** Requests held until a version is there: all that it satisfies are released in one turn. One timer serves them all. */
export class Waiters<T> {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiter<T>>();
  #cancelSweep: (() => void) | undefined;
  #sweepAtMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /**
   * `release` is called once: with what `release` gives, or with undefined when the time is up. Returns how to leave
   * without that; undefined: there are too many.
   */
  add(
    wanted: AwaitedVersion,
    { forMs, release }: { forMs: number; release: Waiter<T>['release'] },
  ): (() => void) | undefined {
    if (this.#waiting.size >= waitersMax) return undefined;
    const waiter = { wanted, untilMs: this.#clock.nowMs() + forMs, release };
    this.#waiting.add(waiter);
    this.#sweepBy(waiter.untilMs);
    return () => {
      this.#waiting.delete(waiter);
      this.#rest();
    };
  }

  release(value: T | undefined, satisfies: (wanted: AwaitedVersion) => boolean): void {
    this.#releaseThose(value, ({ wanted }) => satisfies(wanted));
  }

  /** They leave before the first is released, who may come again at once. */
  #releaseThose(value: T | undefined, which: (waiter: Waiter<T>) => boolean): void {
    const released = [...this.#waiting].filter(which);
    for (const waiter of released) this.#waiting.delete(waiter);
    this.#rest();
    for (const waiter of released) waiter.release(value);
  }

  readonly #sweep = (): void => {
    const nowMs = this.#clock.nowMs();
    this.#cancelSweep = undefined;
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
    this.#releaseThose(undefined, ({ untilMs }) => untilMs <= nowMs);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#waiting) nextMs = Math.min(nextMs, untilMs);
    this.#sweepBy(Math.max(nextMs, this.#clock.nowMs() + sweepMsMin));
  };

  #sweepBy(atMs: number): void {
    if (atMs >= this.#sweepAtMs || this.#waiting.size === 0) return;
    this.#cancelSweep?.();
    this.#sweepAtMs = atMs;
    this.#cancelSweep = this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), this.#sweep);
  }

  #rest(): void {
    if (this.#waiting.size > 0) return;
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    this.#sweepAtMs = Number.POSITIVE_INFINITY;
  }
}

/** Resolves with what it is released with; rejects when the signal is aborted. `hold`: as `Waiters.add`. */
export async function released<T>(
  hold: (release: (value: T | undefined) => void) => (() => void) | undefined,
  signal: AbortSignal,
): Promise<T | undefined> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
  const leave = hold(resolve);
  if (leave === undefined) return undefined;
  const onAbort = (): void => {
    leave();
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', onAbort, { once: true });
  return promise.finally(() => signal.removeEventListener('abort', onAbort));
}
