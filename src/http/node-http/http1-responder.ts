import type { ServerResponse } from 'node:http';
import type { ReplyFields } from '../reply/reply-fields.ts';
import type { Responder } from '../reply/responder.ts';
import { drained } from '../socket/drained.ts';

const heldBytesMax = 64 * 1024;

/** A Responder on node:http. Head, first buffers and end that follow one another leave in one write. */
export class Http1Responder implements Responder {
  readonly #response: ServerResponse;
  readonly #closing: () => boolean;
  #corked = false;
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  #begun = false;

  /** `closing`: whether the connection is to end after this response. */
  constructor(response: ServerResponse, closing: () => boolean) {
    this.#response = response;
    this.#closing = closing;
    // We give Date ourselves, as the origin or the cache had it.
    response.sendDate = false;
  }

  head(status: number, fields: ReplyFields): void {
    if (status < 200) {
      this.#response.writeInformation(status, fields.raw);
      return;
    }
    const close = this.#closing() && !fields.closes;
    // The types ask for mutable fields, though nothing changes them.
    this.#response.writeHead(status, close ? [...fields.raw, 'Connection', 'close'] : (fields.raw as string[]));
    this.#cork();
  }

  write(buffers: readonly Buffer[]): Promise<void> | undefined {
    if (this.#corked && this.#hold(buffers)) return undefined;
    this.#cork();
    const accepted = this.#writeHeld(buffers);
    return accepted ? undefined : drained(this.#response);
  }

  end(): void {
    const last = this.#held.pop();
    this.#writeHeld([]);
    if (last === undefined) this.#response.end();
    else this.#response.end(last);
  }

  destroy(error: Error): void {
    // Without the error, since a truncated response is not an exception of the process.
    const { socket } = this.#response;
    if (socket === null) this.#response.destroy(error);
    else socket.destroy();
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#response.cork();
    process.nextTick(() => {
      this.#corked = false;
      if (this.#response.destroyed || this.#response.writableEnded) return;
      this.#writeHeld([]);
      // A head without content yet goes out as well.
      if (!this.#begun) this.#response.flushHeaders();
      this.#response.uncork();
    });
  }

  /** Little content waits for the end of this tick, since a last buffer that is known to be the last costs one write less. */
  #hold(buffers: readonly Buffer[]): boolean {
    let bytes = this.#heldBytes;
    for (const buffer of buffers) bytes += buffer.length;
    if (bytes > heldBytesMax) return false;
    this.#heldBytes = bytes;
    this.#held.push(...buffers);
    return true;
  }

  #writeHeld(more: readonly Buffer[]): boolean {
    let accepted = true;
    const wasHeld = this.#held.length > 0;
    for (const buffer of this.#held.splice(0)) accepted = this.#response.write(buffer);
    for (const buffer of more) accepted = this.#response.write(buffer);
    this.#heldBytes = 0;
    this.#begun ||= more.length > 0 || wasHeld;
    return accepted;
  }
}
