import type { EddyError } from '../errors.ts';

/** Bytes on their way from the main thread to one reader. The main thread sends no more than it is told to. */
export class Reading {
  readonly number: number;
  /** Known at the end, if it is known at all. */
  completeLength: number | undefined;
  ended = false;
  readonly #waiting: Buffer[] = [];
  #error: EddyError | undefined;
  #wake: (() => void) | undefined;

  constructor(number: number) {
    this.number = number;
  }

  add(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#wake?.();
  }

  end(completeLength: number | undefined): void {
    this.completeLength = completeLength;
    this.ended = true;
    this.#wake?.();
  }

  fail(error: EddyError): void {
    this.#error = error;
    this.ended = true;
    this.#wake?.();
  }

  /** The next bytes; undefined at the end. Throws once what came before a failure is given. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      const bytes = this.#waiting.shift();
      if (bytes !== undefined) return bytes;
      if (this.#error !== undefined) throw this.#error;
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
