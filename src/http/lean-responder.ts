import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { DirectWrites } from './direct-writes.ts';
import { drained } from './http1-responder.ts';
import type { Responder } from './message.ts';
import type { ReplyFields } from './reply-fields.ts';

const statusLines: ReadonlyMap<number, string> = new Map(
  Object.entries(STATUS_CODES).map(([status, reason]) => [Number(status), `HTTP/1.1 ${status} ${reason}\r\n`]),
);

const ok = statusLines.get(200) ?? '';

/** How header sections end: what is said about the connection, or left out, and about how the content is delimited. */
export interface HeadTails {
  readonly plain: Tails;
  readonly chunked: Tails;
}

interface Tails {
  readonly silent: string;
  readonly close: string;
  readonly keepAlive: string;
}

/** The tails node:http writes, for a connection that may rest for that long. */
export function headTails(keepAliveTimeoutMs: number): HeadTails {
  const seconds = Math.floor(keepAliveTimeoutMs / 1000);
  const tails = (end: string): Tails => ({
    silent: end,
    close: `Connection: close\r\n${end}`,
    keepAlive: `Connection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\n${end}`,
  });
  return { plain: tails('\r\n'), chunked: tails('Transfer-Encoding: chunked\r\n\r\n') };
}

export interface LeanResponderOptions {
  readonly tails: HeadTails;
  /** How long the viewer may take none of what waits for it. */
  readonly stallTimeoutMs: number;
  /** Whether every response is to end its connection from now on. */
  readonly draining: () => boolean;
  /** Every byte of a response was handed to the kernel. */
  readonly onSent: () => void;
}

/** Answers up to this size leave past the stream; the socket's buffer takes them whole unless the viewer is slow. */
const directBytesMax = 72 * 1024;

/**
 * A Responder on a socket, used for one response after the other. Head and first content leave in one write; a head
 * alone is held until `release`, or the end of the tick.
 */
export class LeanResponder implements Responder {
  readonly #socket: Socket;
  readonly #options: LeanResponderOptions;
  readonly #direct: DirectWrites | undefined;
  /** The final head, not written yet. */
  #head: ReplyFields | undefined;
  #start = '';
  #toHead = false;
  #begun = false;
  #chunked = false;
  #ended = false;
  #close = false;
  /** Whether a head alone waits for `release`. */
  #held = false;
  #guarded = false;

  constructor(socket: Socket, options: LeanResponderOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#direct = DirectWrites.to(socket, () => this.#taken());
  }

  /** Whether the connection is to end after this response. */
  get close(): boolean {
    return this.#close;
  }

  /** Whether the final head was given. */
  get begun(): boolean {
    return this.#begun;
  }

  /** The next response, once the one before was sent. `close`: the viewer wants the connection to end after it. */
  begin({ toHead, close }: { toHead: boolean; close: boolean }): void {
    this.#toHead = toHead;
    this.#held = true;
    this.#begun = false;
    this.#chunked = false;
    this.#ended = false;
    this.#close = close;
  }

  head(status: number, fields: ReplyFields): void {
    const start = status === 200 ? ok : (statusLines.get(status) ?? `HTTP/1.1 ${status} unknown\r\n`);
    if (status < 200) {
      this.#socket.write(fields.message(start, '\r\n'), 'latin1');
      return;
    }
    this.#close ||= fields.closes || this.#options.draining();
    this.#chunked = !fields.hasLength && !this.#toHead && status !== 204 && status !== 304;
    // Throws now if a field cannot be sent.
    void fields.text;
    this.#head = fields;
    this.#start = start;
    this.#begun = true;
    if (!this.#held) process.nextTick(() => this.#flush());
  }

  write(buffers: readonly Buffer[]): Promise<void> | undefined {
    const socket = this.#socket;
    if (this.#writeDirectly(buffers)) return socket.destroyed ? drained(socket) : undefined;
    socket.cork();
    this.#writeHead();
    if (this.#chunked) this.#writeChunk(buffers);
    else for (const buffer of buffers) socket.write(buffer);
    socket.uncork();
    if (socket.destroyed) return drained(socket);
    if (socket.writableLength === 0) return undefined;
    this.#guard();
    return socket.writableNeedDrain ? drained(socket) : undefined;
  }

  end(): void {
    const socket = this.#socket;
    this.#ended = true;
    if (this.#head !== undefined || this.#chunked) {
      socket.cork();
      this.#writeHead();
      if (this.#chunked) socket.write('0\r\n\r\n', 'latin1');
      socket.uncork();
    }
    if (socket.writableLength > 0) {
      this.#guard();
      socket.write('', 'latin1', () => this.#sent());
    } else if (this.#direct?.pending !== true) this.#sent();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What could be answered at once was: a head that no content followed goes out. */
  release(): void {
    this.#held = false;
    if (this.#head !== undefined) this.#flush();
  }

  /** Whether the viewer took nothing of what waits for it for as long as it may. */
  get stalled(): boolean {
    if (this.#socket.writableLength > 0) return true;
    if (this.#direct?.pending !== true) return false;
    if (this.#direct.stalled) return true;
    this.#socket.setTimeout(this.#options.stallTimeoutMs);
    return false;
  }

  #flush(): void {
    if (this.#head === undefined) return;
    this.#writeHead();
    if (this.#socket.writableLength > 0) this.#guard();
  }

  /** Head and content in one write past the stream, if both are there and it is little. */
  #writeDirectly(buffers: readonly Buffer[]): boolean {
    const head = this.#head;
    if (this.#direct === undefined || head === undefined || this.#chunked) return false;
    const [only] = buffers;
    if (only === undefined) return false;
    let bytes = 0;
    for (const buffer of buffers) bytes += buffer.length;
    if (bytes > directBytesMax) return false;
    const [start, tail] = [this.#start, this.#tail(head.closes)];
    const together = buffers.length === 1 ? head.messageWith(start, tail, only) : undefined;
    const chunks = together === undefined ? [bytesOf(head.message(start, tail)), ...buffers] : [together];
    if (!this.#direct.write(chunks)) return false;
    this.#head = undefined;
    if (this.#direct.pending) this.#guard();
    return true;
  }

  /** The kernel has what was written directly. */
  #taken(): void {
    if (this.#ended && this.#socket.writableLength === 0 && this.#direct?.pending !== true) this.#sent();
  }

  #sent(): void {
    if (!this.#ended || this.#socket.destroyed) return;
    this.#ended = false;
    if (this.#guarded) {
      this.#guarded = false;
      this.#socket.setTimeout(0);
    }
    this.#options.onSent();
  }

  #writeHead(): void {
    const head = this.#head;
    if (head === undefined) return;
    this.#head = undefined;
    this.#socket.write(head.message(this.#start, this.#tail(head.closes)), 'latin1');
  }

  #writeChunk(buffers: readonly Buffer[]): void {
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    // A chunk of no bytes would be the end.
    if (bytes === 0) return;
    this.#socket.write(`${bytes.toString(16)}\r\n`, 'latin1');
    for (const buffer of buffers) this.#socket.write(buffer);
    this.#socket.write('\r\n', 'latin1');
  }

  /** Only a viewer that does not take everything at once can stall, and only then is it watched. */
  #guard(): void {
    if (this.#guarded) return;
    this.#guarded = true;
    this.#socket.setTimeout(this.#options.stallTimeoutMs);
  }

  /** What node:http adds: about the connection, unless the fields say it, and how the content is delimited. */
  #tail(closeSaid: boolean): string {
    const { silent, close, keepAlive } = this.#chunked ? this.#options.tails.chunked : this.#options.tails.plain;
    return closeSaid ? silent : this.#close ? close : keepAlive;
  }
}

function bytesOf(message: string | Buffer): Buffer {
  return typeof message === 'string' ? Buffer.from(message, 'latin1') : message;
}
