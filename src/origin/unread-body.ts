import type { EddyError } from '../errors.ts';
import { originBounds } from './origin-map.ts';

/** What has come of a body and was not read yet. One reader; what had come before an end or a failure is read first. */
export class UnreadBody {
  readonly #onRoom: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #reader: PromiseWithResolvers<IteratorResult<Buffer, undefined>> | undefined;
  #end: 'ended' | EddyError | undefined;

  /** `onRoom`: half of what may be kept has been read. */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether whoever sends is to pause. */
  get isFull(): boolean {
    return this.#bytes >= originBounds.unreadBytesMax;
  }

  add(chunk: Buffer): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader !== undefined) return reader.resolve({ done: false, value: chunk });
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next bytes; rejects with what the body failed of. */
  next(): Promise<IteratorResult<Buffer, undefined>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#bytes -= chunk.length;
      if (this.#bytes <= originBounds.unreadBytesMax / 2) this.#onRoom();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#end === 'ended') return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) return Promise.reject(this.#end);
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  end(): void {
    this.#end = 'ended';
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  fail(error: EddyError): void {
    this.#end = error;
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  /** What has come is not wanted any more. */
  drop(): void {
    this.#chunks.length = 0;
    this.#bytes = 0;
  }
}
