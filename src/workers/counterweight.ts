/** So much is set against as much shared memory. Beyond what malloc would ever serve from memory that was in use. */
const weightBytes = 40 * 1024 * 1024;
const weightsMax = 16;

/**
 * V8 does not count shared memory, so it sees no reason to collect what holds on to megabytes of it. As much memory that
 * it does count, but that is never touched and so costs nothing, makes it collect when it would for memory of its own.
 */
export class Counterweight {
  #bytes = 0;
  #weights: ArrayBuffer[] = [];
  readonly #collected = new FinalizationRegistry(() => this.#lift());

  constructor() {
    this.#watch();
  }

  /** So many bytes of shared memory more are held by somebody. */
  readonly add = (bytes: number): void => {
    this.#bytes += bytes;
    if (this.#bytes < weightBytes) return;
    this.#bytes = 0;
    if (this.#weights.length >= weightsMax) this.#weights.shift();
    this.#weights.push(new ArrayBuffer(weightBytes));
  };

  /** There was a collection: what it was to bring about is done. */
  #lift(): void {
    this.#weights = [];
    this.#watch();
  }

  #watch(): void {
    this.#collected.register({}, undefined);
  }
}
