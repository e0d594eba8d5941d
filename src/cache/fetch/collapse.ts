import { unlessAborted } from '../flight/shared-wait.ts';

interface Pending<T> {
  readonly outcome: Promise<T>;
  readonly controller: AbortController;
  waiting: number;
  settled: boolean;
}

/** Lets many requests share one fetch of a response head. The fetch belongs to nobody: it stops when the last one left. */
export class Collapse<T> {
  readonly #pending = new Map<string, Pending<T>>();
  readonly #onUnclaimed: (outcome: T) => void;

  /** `onUnclaimed` gets an outcome whose own request left before it came. */
  constructor(onUnclaimed: (outcome: T) => void) {
    this.#onUnclaimed = onUnclaimed;
  }

  /** Runs `fetch`, or joins the one that runs under this name. `leader`: the fetch was made for this very request. */
  async run(
    name: string,
    signal: AbortSignal,
    fetch: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ leader: boolean; outcome: T }> {
    const running = this.#pending.get(name);
    const pending = running ?? this.#start(name, fetch);
    pending.waiting += 1;
    try {
      return { leader: running === undefined, outcome: await unlessAborted(pending.outcome, signal) };
    } catch (error) {
      if (running === undefined && signal.aborted) pending.outcome.then(this.#onUnclaimed, () => {});
      throw error;
    } finally {
      pending.waiting -= 1;
      // What came belongs to those who take it over; only a fetch still under way is nobody's now.
      if (pending.waiting === 0 && !pending.settled) pending.controller.abort();
    }
  }

  #start(name: string, fetch: (signal: AbortSignal) => Promise<T>): Pending<T> {
    const controller = new AbortController();
    const outcome = fetch(controller.signal).finally(() => {
      pending.settled = true;
      if (this.#pending.get(name)?.outcome === outcome) this.#pending.delete(name);
    });
    // Everybody may have left before it fails.
    outcome.catch(() => {});
    const pending: Pending<T> = { outcome, controller, waiting: 0, settled: false };
    this.#pending.set(name, pending);
    controller.signal.addEventListener('abort', () => {
      // Who comes now must not join a fetch that is being aborted.
      if (this.#pending.get(name) === pending) this.#pending.delete(name);
    });
    return pending;
  }
}
