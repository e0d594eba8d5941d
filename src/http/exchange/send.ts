import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Content } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import { PieceMemory } from '../../piece-memory.ts';
import { isContentless, type Reply, type ReplyBody } from '../reply/reply.ts';
import type { Responder } from '../reply/responder.ts';

/** How much of RAM one viewer's socket may hold on to at a time, however slow it is. */
const windowBytes = 1024 * 1024;
/** The same for what is read for that viewer alone: less of it waits for slow sockets, outside the CPU's cache. */
const diskWindowBytes = 512 * 1024;

type Bytes = Extract<ReplyBody, { kind: 'span' | 'parts' | 'stream' }>;

export interface SendOptions {
  readonly method: string;
  signal(): AbortSignal;
}

/**
 * Sends a reply to its end. What is in RAM goes out at once, without waiting; then a promise follows only if the viewer
 * must be waited for. Rejects when the content cannot be had: before anything was sent if `responder.head` was not called.
 */
export function send(reply: Reply, responder: Responder, options: SendOptions): Promise<void> | undefined {
  const { body } = reply;
  const contentless = options.method === 'HEAD' || isContentless(reply.status);
  if (contentless || body.kind === 'none' || body.kind === 'buffers') {
    responder.head(reply.status, reply.fields);
    // Once all is handed over, the transport lets go of it when the viewer took it or is gone.
    if (!contentless && body.kind === 'buffers') responder.write(body.buffers)?.catch(() => {});
    responder.end();
    if (body.kind === 'stream') discard(body);
    return undefined;
  }
  if (body.kind === 'stream') return sendStream(reply, body, responder);
  if (body.kind === 'span' && sendAtOnce(reply, body, responder)) return undefined;
  const sender = new ContentSender(reply, responder, options);
  return body.kind === 'span' ? sender.sendSpan(body) : sender.sendParts(body);
}

/** A span that fits the window and is all in RAM leaves now. */
function sendAtOnce(
  reply: Reply,
  { content, first, last }: Extract<Bytes, { kind: 'span' }>,
  responder: Responder,
): boolean {
  if (last === undefined || last - first >= windowBytes) return false;
  const buffers = content.peek(first, last);
  if (buffers === undefined) return false;
  responder.head(reply.status, reply.fields);
  responder.write(buffers)?.catch(() => {});
  responder.end();
  return true;
}

/** Bytes of a representation: windows from RAM while they are there, read for the rest. */
class ContentSender {
  readonly #reply: Reply;
  readonly #responder: Responder;
  readonly #options: SendOptions;
  #headSent = false;

  constructor(reply: Reply, responder: Responder, options: SendOptions) {
    this.#reply = reply;
    this.#responder = responder;
    this.#options = options;
  }

  async sendSpan({ content, first, last }: Extract<Bytes, { kind: 'span' }>): Promise<void> {
    if (last === undefined) await this.#readRest(content, first, last);
    else await this.#sendWindows(content, first, last);
    this.#end();
  }

  async sendParts({ content, parts, tail }: Extract<Bytes, { kind: 'parts' }>): Promise<void> {
    for (const { head, first, last } of parts) {
      // The first part's bytes must be there before the head goes out; later ones cannot be turned into an error.
      const buffers = last - first < windowBytes ? content.peek(first, last) : undefined;
      if (buffers !== undefined) await this.#write([head, ...buffers]);
      else await this.#readRest(content, first, last, head);
    }
    await this.#write([tail]);
    this.#end();
  }

  /** As windows as long as they can be had at once, and then as it can be read. */
  async #sendWindows(content: Content, from: number, last: number): Promise<void> {
    let turnBytes = 0;
    for (let first = from; first <= last; ) {
      // A viewer who takes all as fast as it comes shares the thread with the others.
      if (turnBytes >= windowBytes) {
        await nextTurn();
        turnBytes = 0;
      }
      const bytesMax = content.sourceOf(first) === 'disk' ? diskWindowBytes : windowBytes;
      const end = Math.min(last + 1, first + bytesMax);
      const buffers = content.peek(first, end - 1);
      if (buffers === undefined) return this.#readRest(content, first, last);
      const drained = this.#write(buffers);
      if (drained !== undefined) await drained;
      if (this.#responder.taken === true) content.release?.();
      turnBytes = drained === undefined ? turnBytes + end - first : 0;
      first = end;
    }
  }

  async #readRest(content: Content, first: number, last: number | undefined, lead?: Buffer): Promise<void> {
    let next = first;
    let unsent = lead;
    for await (const buffer of content.read(first, last, this.#options.signal())) {
      next += buffer.length;
      if (last !== undefined && next > last + 1) throw tooMuch(last);
      const drained = this.#write(unsent === undefined ? [buffer] : [unsent, buffer]);
      unsent = undefined;
      if (drained !== undefined) await drained;
      if (this.#responder.taken === true) PieceMemory.of(buffer)?.letGo();
    }
    if (last !== undefined && next !== last + 1) throw tooLittle(next, last);
  }

  #write(buffers: readonly Buffer[]): Promise<void> | undefined {
    this.#sendHead();
    return this.#responder.write(buffers);
  }

  #sendHead(): void {
    if (this.#headSent) return;
    this.#responder.head(this.#reply.status, this.#reply.fields);
    this.#headSent = true;
  }

  #end(): void {
    this.#sendHead();
    this.#responder.end();
  }
}

/** A stream goes out as it comes, head first: its source has decided the status already. */
async function sendStream(
  reply: Reply,
  { body, length }: Extract<Bytes, { kind: 'stream' }>,
  responder: Responder,
): Promise<void> {
  responder.head(reply.status, reply.fields);
  let sent = 0;
  for await (const buffer of body) {
    sent += buffer.length;
    if (length !== undefined && sent > length) throw tooMuch(length - 1);
    const drained = responder.write([buffer]);
    if (drained !== undefined) await drained;
  }
  if (length !== undefined && sent !== length) throw tooLittle(sent, length - 1);
  responder.end();
}

function tooMuch(last: number): EddyError {
  return new EddyError('internal', `content went on after its last byte ${last}`, { side: 'internal' });
}

function tooLittle(next: number, last: number): EddyError {
  return new EddyError('origin-broken', `content ended before byte ${next} of 0-${last}`, { side: 'upstream' });
}
