/** So long nothing has come, before what waits is written. */
const quietMs = 50;
/** It waits no longer than this after the first of it. */
const waitMsMax = 100;

/**
 * Says when to write what has come: in a lull. What comes is on its way to a viewer or a peer at the same time, and to write
 * it takes as much of the cores as to give it.
 */
export class Lull {
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #firstMs = 0;
  #lastMs = 0;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /** Whether something waits for it. */
  get awaited(): boolean {
    return this.#timer !== undefined;
  }

  /** Something has come. */
  await(): void {
    this.#lastMs = performance.now();
    if (this.#timer !== undefined) return;
    this.#firstMs = this.#lastMs;
    this.#look(quietMs);
  }

  /** Nothing waits any more. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(afterMs: number): void {
    this.#timer = setTimeout(() => {
      const dueMs = Math.min(this.#lastMs + quietMs, this.#firstMs + waitMsMax);
      const leftMs = dueMs - performance.now();
      if (leftMs > 0) return this.#look(leftMs);
      this.#timer = undefined;
      this.#onDue();
    }, afterMs);
  }
}
