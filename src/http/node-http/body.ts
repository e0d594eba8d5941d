import type { Readable } from 'node:stream';
import { EddyError } from '../../errors.ts';

interface BodyOptions {
  readonly bytesMax: number;
  /** Called before the first read: the moment to send 100 (Continue). */
  readonly onFirstRead?: () => void;
}

/**
 * The content of a request, read only as fast as it is consumed, and bounded. To be iterated once; leaving it early
 * keeps the connection. Throws EddyError when the viewer breaks off or sends too much.
 */
export class RequestBody implements AsyncIterable<Buffer> {
  readonly #stream: Readable;
  readonly #options: BodyOptions;
  #stopped = false;
  #wake: (() => void) | undefined;

  constructor(stream: Readable, options: BodyOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  /** The exchange is over: whoever still reads gets an error, and no longer holds the stream. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const stream = this.#stream;
    this.#options.onFirstRead?.();
    let bytes = 0;
    for (;;) {
      if (this.#stopped) throw brokenOff();
      const chunk = stream.read() as Buffer | null;
      if (chunk !== null) {
        bytes += chunk.length;
        if (bytes > this.#options.bytesMax) throw tooLong(this.#options.bytesMax);
        yield chunk;
      } else if (stream.readableEnded) {
        return;
      } else if (stream.destroyed) {
        throw brokenOff(stream.errored);
      } else {
        await this.#more();
      }
    }
  }

  /** Resolves at the next thing that happens to the stream, whatever it is. */
  #more(): Promise<void> {
    const stream = this.#stream;
    return new Promise((resolve) => {
      const wake = () => {
        for (const event of streamEvents) stream.off(event, wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      for (const event of streamEvents) stream.on(event, wake);
    });
  }
}

const streamEvents = ['readable', 'end', 'error', 'close'] as const;

function brokenOff(cause?: unknown): EddyError {
  return new EddyError('client-gone', 'the viewer broke off its request', { side: 'downstream', cause });
}

function tooLong(bytesMax: number): EddyError {
  return new EddyError('request-too-large', `the content is longer than ${bytesMax} bytes`, { side: 'downstream' });
}
