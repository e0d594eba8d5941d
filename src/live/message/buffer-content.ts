import type { Content, Source } from '../../cache/types.ts';

export type OnServed = (source: Source, bytes: number) => void;

/** A representation that is wholly in memory. */
export class BufferContent implements Content {
  readonly completeLength: number;
  readonly #bytes: Buffer;
  readonly #onServed: OnServed;

  constructor(bytes: Buffer, onServed: OnServed) {
    this.#bytes = bytes;
    this.#onServed = onServed;
    this.completeLength = bytes.length;
  }

  peek(first: number, last: number): readonly Buffer[] {
    this.#onServed('ram', last - first + 1);
    return [first === 0 && last === this.#bytes.length - 1 ? this.#bytes : this.#bytes.subarray(first, last + 1)];
  }

  sourceOf(): Source {
    return 'ram';
  }

  async *read(first: number, last: number | undefined): AsyncGenerator<Buffer, void, undefined> {
    const bytes = this.#bytes.subarray(first, last === undefined ? undefined : last + 1);
    this.#onServed('ram', bytes.length);
    if (bytes.length > 0) yield bytes;
  }
}
