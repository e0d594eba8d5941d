import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ReplyFields } from '../reply/reply-fields.ts';
import type { Responder } from '../reply/responder.ts';
import { DirectWrites, takenOf } from '../socket/direct-writes.ts';
import { drained } from '../socket/drained.ts';
import { FileWrites, type Sendfile } from '../socket/file-writes.ts';
import type { UnsentBound } from '../socket/unsent-bound.ts';

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

interface LeanResponderOptions {
  readonly tails: HeadTails;
  /** Whether every response is to end its connection from now on. */
  readonly draining: () => boolean;
  /** Every byte of a response was handed to the kernel, or to TLS. */
  readonly onSent: () => void;
  /** For content that is in a file as well. */
  readonly sendfile?: Sendfile | undefined;
  readonly unsent?: UnsentBound | undefined;
}

/** Up to this size a socket's buffer takes what is written whole, unless the viewer is slow. */
const smallBytesMax = 72 * 1024;
/** From this size on content leaves without a copy, if it can. */
const fileBytesMin = 64 * 1024;

/**
 * A Responder on a socket, used for one response after the other. Head and first content leave in one write; a head
 * alone is held until `release`, or the end of the tick.
 */
export class LeanResponder implements Responder {
  readonly #socket: Socket;
  readonly #options: LeanResponderOptions;
  readonly #direct: DirectWrites | undefined;
  /** More than this is left to the stream. */
  readonly #directBytesMax: number;
  readonly #files: FileWrites | undefined;
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
  /** What the kernel may hold unsent, as it was told; 0: it was not. */
  #unsentMax = 0;

  constructor(socket: Socket, options: LeanResponderOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#direct = DirectWrites.to(socket, this.#onTaken);
    this.#directBytesMax = 'encrypted' in socket ? smallBytesMax : Number.POSITIVE_INFINITY;
    const { sendfile } = options;
    this.#files = sendfile && FileWrites.to(socket, sendfile, this.#onTaken);
  }

  /** Whether the connection is to end after this response. */
  get close(): boolean {
    return this.#close;
  }

  /** Whether the final head was given. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Whether something was written that the viewer has yet to make room for. */
  get waits(): boolean {
    return this.#socket.writableLength > 0 || this.#direct?.pending === true || this.#files?.done !== undefined;
  }

  /** Grows while the viewer takes what was written. */
  get takenBytes(): number {
    return takenOf(this.#socket) + (this.#files?.bytesSent ?? 0);
  }

  get taken(): boolean {
    return !this.waits;
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
      this.#direct?.hold();
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
    if (this.#writeTogether(buffers)) return undefined;
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const parts = this.#takeHead();
    if (!this.#chunked) parts.push(...buffers);
    // A chunk of no bytes would be the end.
    else if (bytes > 0) parts.push(Buffer.from(`${bytes.toString(16)}\r\n`), ...buffers, lineEnd);
    if (bytes > smallBytesMax) this.#bound();
    if (bytes >= fileBytesMin && !this.#chunked && this.#files?.write(parts) === true) return this.#files.done;
    if (bytes > this.#directBytesMax || this.#direct?.write(parts) !== true) this.#writeStream(parts);
    if (socket.destroyed || socket.writableNeedDrain) return drained(socket);
    // What is sent from a file would overtake it.
    return this.#direct?.done;
  }

  end(): void {
    this.#ended = true;
    const parts = this.#takeHead();
    if (this.#chunked) parts.push(lastChunk);
    if (parts.length > 0 && this.#direct?.write(parts) !== true) this.#writeStream(parts);
    this.#onTaken();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** What could be answered at once was: a head that no content followed goes out. */
  release(): void {
    this.#held = false;
    this.#flush();
  }

  #bound(): void {
    const { unsent } = this.#options;
    if (unsent !== undefined) this.#unsentMax = unsent.apply(this.#socket, this.#unsentMax);
  }

  #flush(): void {
    if (this.#head !== undefined) this.#writeStream(this.#takeHead());
  }

  /** Head and little content, which often go together and then are one buffer already. */
  #writeTogether(buffers: readonly Buffer[]): boolean {
    const head = this.#head;
    const [content] = buffers;
    if (head === undefined || content === undefined || buffers.length > 1 || this.#chunked) return false;
    const together = head.messageWith(this.#start, this.#tail(head.closes), content);
    if (together === undefined) return false;
    this.#head = undefined;
    if (this.#direct?.write([together]) !== true) this.#writeStream([together]);
    return !this.#socket.destroyed;
  }

  #writeStream(parts: readonly Buffer[]): void {
    const socket = this.#socket;
    const last = parts.length - 1;
    this.#direct?.hold();
    socket.cork();
    for (let i = 0; i < last; i++) socket.write(parts[i] as Buffer);
    if (last >= 0) socket.write(parts[last] as Buffer, this.#onTaken);
    socket.uncork();
  }

  readonly #onTaken = (): void => {
    if (!this.#ended || this.waits || this.#socket.destroyed) return;
    this.#ended = false;
    this.#options.onSent();
  };

  #takeHead(): Buffer[] {
    const head = this.#head;
    if (head === undefined) return [];
    this.#head = undefined;
    const message = head.message(this.#start, this.#tail(head.closes));
    return [typeof message === 'string' ? Buffer.from(message, 'latin1') : message];
  }

  /** What node:http adds: about the connection, unless the fields say it, and how the content is delimited. */
  #tail(closeSaid: boolean): string {
    const { silent, close, keepAlive } = this.#chunked ? this.#options.tails.chunked : this.#options.tails.plain;
    if (closeSaid) return silent;
    return this.#close ? close : keepAlive;
  }
}

const lineEnd = Buffer.from('\r\n');
const lastChunk = Buffer.from('0\r\n\r\n');
