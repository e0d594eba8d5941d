import { Readable } from 'node:stream';

/**
 * The body of one upstream request. The chunks are not touched before the request is on a connection, so a request
 * that found no connection can be sent again.
 */
export function requestBody(chunks: AsyncIterable<Uint8Array>): Readable {
  let iterator: AsyncIterator<Uint8Array> | undefined;
  return new Readable({
    read() {
      iterator ??= chunks[Symbol.asyncIterator]();
      iterator.next().then(
        ({ done, value }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    destroy(error, callback) {
      // Not awaited: a source that hangs in `next` would never get to `return`.
      iterator?.return?.().catch(() => {});
      callback(error);
    },
  });
}
