/** A version to wait for: that media sequence number, complete or up to that part. */
export interface Wanted {
  readonly msn: number;
  readonly part: number | undefined;
}

interface Waiter<T> extends Wanted {
  readonly release: (value: T | undefined) => void;
}

/** More than this many held requests for one playlist are answered at once instead. */
const waitersMax = 65_536;

/** Requests held until a version is there. All that it satisfies are released in one turn. */
export class Waiters<T> {
  readonly #waiting = new Set<Waiter<T>>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Resolves with what `release` gives; undefined after that deadline. Rejects when the signal is aborted. */
  wait(wanted: Wanted, { signal, expired }: { signal: AbortSignal; expired: (run: () => void) => () => void }) {
    const { promise, resolve, reject } = Promise.withResolvers<T | undefined>();
    if (this.#waiting.size >= waitersMax) return Promise.resolve(undefined);
    const settle = (value: T | undefined): void => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(waiter);
      resolve(value);
    };
    const onAbort = (): void => {
      settle(undefined);
      reject(signal.reason as Error);
    };
    const waiter: Waiter<T> = { ...wanted, release: settle };
    const cancel = expired(() => settle(undefined));
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    }
    return promise;
  }

  release(value: T | undefined, satisfies: (wanted: Wanted) => boolean): void {
    for (const waiter of this.#waiting) if (satisfies(waiter)) waiter.release(value);
  }
}
