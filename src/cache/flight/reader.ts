import { viewerGone } from '../../errors.ts';

/** One viewer's place in a representation. It sleeps until its flight, or its own abort, wakes it. */
export class Reader {
  /** The next byte it needs. */
  offset: number;
  /** The last byte it needs; undefined: to the end. */
  readonly last: number | undefined;
  readonly signal: AbortSignal;
  /** Gaps before this offset have been asked for. */
  plannedTo: number;
  /** Failed fetches since the last byte. */
  failures = 0;
  /** Looks for the next byte since the last one that found nothing to read or wait for. */
  fruitless = 0;
  #wake: (() => void) | undefined;
  readonly #onAbort = (): void => this.wake();

  constructor(range: { first: number; last: number | undefined }, signal: AbortSignal) {
    this.offset = range.first;
    this.last = range.last;
    this.plannedTo = range.first;
    this.signal = signal;
    signal.addEventListener('abort', this.#onAbort);
  }

  wants(first: number, last: number | undefined): boolean {
    return (last === undefined || this.offset <= last) && (this.last === undefined || this.last >= first);
  }

  sleep(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  throwIfAborted(): void {
    if (this.signal.aborted) throw viewerGone();
  }

  leave(): void {
    this.signal.removeEventListener('abort', this.#onAbort);
    this.wake();
  }
}
