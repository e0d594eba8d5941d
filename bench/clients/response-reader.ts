/** What came of one response so far. */
export interface Progress {
  readonly status: number;
  readonly bodyBytes: number;
  /** Whether all that Content-Length promised is here. */
  readonly complete: boolean;
}

const headBytesMax = 16_384;
const headEnd = Buffer.from('\r\n\r\n');

/**
 * Reads responses with Content-Length, one after the other, and counts their bodies without keeping them. For clients
 * that must cost little beside the server they measure; anything unusual is an error.
 */
export class ResponseReader {
  #head = Buffer.alloc(0);
  #status = 0;
  #length = 0;
  #bodyBytes = 0;

  /** Takes the bytes that came; the buffer may be used again afterwards. Throws when they are no such response. */
  take(chunk: Buffer): Progress {
    if (this.#status === 0) {
      this.#takeHead(chunk);
      return this.skip(0);
    }
    return this.skip(chunk.length);
  }

  /** Bytes of the body that came. */
  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  /** Bytes of the body that are to come; 0 before the end of the header section is here. */
  get left(): number {
    return this.#status === 0 ? 0 : this.#length - this.#bodyBytes;
  }

  /** So many bytes of the body came another way. */
  skip(bytes: number): Progress {
    this.#bodyBytes += bytes;
    if (this.#bodyBytes > this.#length) throw new Error(`${this.#bodyBytes} bytes of a body of ${this.#length}`);
    const complete = this.#status !== 0 && this.#bodyBytes === this.#length;
    return { status: this.#status, bodyBytes: this.#bodyBytes, complete };
  }

  /** Makes ready for the response to the next request. */
  next(): void {
    this.#head = Buffer.alloc(0);
    this.#status = 0;
    this.#length = 0;
    this.#bodyBytes = 0;
  }

  #takeHead(chunk: Buffer): void {
    // A copy: the chunk is the caller's.
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#head.indexOf(headEnd);
    if (end === -1) {
      if (this.#head.length > headBytesMax) throw new Error(`no end of the header section in ${headBytesMax} bytes`);
      return;
    }
    const text = this.#head.toString('latin1', 0, end);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    const length = /^content-length: *(\d+)/im.exec(text)?.[1];
    if (status === undefined || length === undefined) {
      throw new Error(`no status or Content-Length in ${JSON.stringify(text.slice(0, 300))}`);
    }
    this.#status = Number(status);
    this.#length = Number(length);
    this.#bodyBytes = this.#head.length - end - headEnd.length;
    this.#head = Buffer.alloc(0);
  }
}
