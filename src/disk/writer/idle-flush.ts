/** A writer without work empties its write buffer after so long, if so much is in it. */
const afterMs = 2_000;
const bytesMin = 1024 * 1024;

/**
 * Says when what waits in a write buffer is due to go to a table: nothing came behind it. From a table it is read with
 * one copy, and the log that goes with it is deleted before the kernel writes it to the device.
 */
export class IdleFlush {
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = false;

  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  get due(): boolean {
    return this.#due;
  }

  /** The writer has no work any more. */
  rest(unflushedBytes: number): void {
    if (unflushedBytes < bytesMin) return;
    this.#timer = setTimeout(() => {
      this.#due = true;
      this.#onDue();
    }, afterMs).unref();
  }

  /** There is work, or flushing was it. */
  cancel(): void {
    clearTimeout(this.#timer);
    this.#due = false;
  }
}
