import type { EddyError } from '../errors.ts';
import type { WireError } from './messages.ts';
import { fromWire } from './wire-error.ts';

type Part = { readonly bytes?: Uint8Array; readonly error?: WireError };

/** The content of a viewer's request as it comes from another thread, a part at a time as it is asked for. */
export class RequestContent implements AsyncIterable<Uint8Array> {
  readonly #pull: () => void;
  #awaited: PromiseWithResolvers<Part> | undefined;
  #failed: EddyError | undefined;

  /** `pull`: asks for the next part. */
  constructor(pull: () => void) {
    this.#pull = pull;
  }

  take(part: Part): void {
    this.#awaited?.resolve(part);
  }

  /** The viewer is gone. */
  fail(error: EddyError): void {
    this.#failed = error;
    this.#awaited?.reject(error);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      if (this.#failed !== undefined) throw this.#failed;
      this.#awaited = Promise.withResolvers();
      this.#pull();
      const { bytes, error } = await this.#awaited.promise;
      if (error !== undefined) throw fromWire(error);
      if (bytes === undefined) return;
      yield bytes;
    }
  }
}
