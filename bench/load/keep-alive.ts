import { connect, type Socket } from 'node:net';

export interface Got {
  readonly status: number;
  /** Of playlists; media are counted and dropped. */
  readonly body: Buffer;
  readonly bytes: number;
  /** Epoch milliseconds, with fractions, of the first bytes and of the last. */
  readonly firstMs: number;
  readonly doneMs: number;
}

interface Pending {
  readonly keep: boolean;
  readonly resolve: (got: Got) => void;
  readonly reject: (error: Error) => void;
}

const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

export const epochMs = (): number => performance.timeOrigin + performance.now();

/**
 * One connection that is kept, and one request at a time. It costs little, so that hundreds of answers that come at once
 * are not measured late.
 */
export class KeepAlive {
  readonly #host: string;
  readonly #port: number;
  readonly #name: string;
  #socket: Socket | undefined;
  #pending: Pending | undefined;
  #buffer: Buffer = Buffer.alloc(0);
  #firstMs = 0;

  constructor(base: string) {
    const { hostname, port, host } = new URL(base);
    this.#host = hostname;
    this.#port = Number(port);
    this.#name = host;
  }

  /** `keep`: the body is wanted. Rejects when the connection breaks. */
  get(target: string, keep: boolean): Promise<Got> {
    return new Promise((resolve, reject) => {
      this.#pending = { keep, resolve, reject };
      this.#buffer = Buffer.alloc(0);
      this.#firstMs = 0;
      const socket = this.#socket ?? this.#open();
      socket.write(`GET ${target} HTTP/1.1\r\nHost: ${this.#name}\r\n\r\n`);
    });
  }

  close(): void {
    this.#socket?.destroy();
  }

  #open(): Socket {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const broken = (error?: Error) => {
      if (this.#socket === socket) this.#socket = undefined;
      const pending = this.#pending;
      this.#pending = undefined;
      pending?.reject(error ?? new Error('closed'));
    };
    socket.on('error', broken);
    socket.on('close', () => broken());
    this.#socket = socket;
    return socket;
  }

  #take(chunk: Buffer): void {
    if (this.#firstMs === 0) this.#firstMs = epochMs();
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    const end = this.#buffer.indexOf(headEnd);
    if (end < 0) return;
    const head = this.#buffer.toString('latin1', 0, end).toLowerCase();
    const status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
    const start = end + headEnd.length;
    if (length !== undefined) {
      if (this.#buffer.length >= start + Number(length)) this.#finish(status, this.#buffer.subarray(start));
    } else {
      const body = dechunked(this.#buffer.subarray(start));
      if (body !== undefined) this.#finish(status, body);
    }
  }

  #finish(status: number, body: Buffer): void {
    const pending = this.#pending;
    this.#pending = undefined;
    const kept = pending?.keep === true ? Buffer.from(body) : Buffer.alloc(0);
    pending?.resolve({ status, body: kept, bytes: body.length, firstMs: this.#firstMs, doneMs: epochMs() });
  }
}

/** Undefined while the last chunk is missing. */
function dechunked(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const end = bytes.indexOf(lineEnd, at);
    if (end < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, end), 16);
    const next = end + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = next;
  }
}
