import type { CacheRequest } from '../cache/types.ts';
import { Fields } from '../fields.ts';
import { hasPlayerReport } from '../semantics/player-report.ts';
import { Ask } from './ask.ts';
import type { AskNumber, ToMain, ToThread } from './messages.ts';
import type { Port } from './port.ts';

/** Of an ask that nobody reads: an answer may be read in several parts, and some are not read at all. */
const sweepMs = 250;

/** Messages that belong to an ask. */
type AskEvent = Extract<ToThread, { ask: AskNumber }>;

/** What this thread has asked the main thread for and is not done with. */
export class Asks {
  readonly #port: Port<ToMain>;
  readonly #open = new Map<AskNumber, Ask>();
  /** Those that were idle at the last sweep. */
  #idle: Ask[] = [];
  #last = 0;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(port: Port<ToMain>) {
    this.#port = port;
  }

  get size(): number {
    return this.#open.size;
  }

  open(request: CacheRequest): Ask {
    const number = ++this.#last;
    const { method, target, scheme, authority, policy, body } = request;
    const ask = new Ask(number, request, {
      port: this.#port,
      onLeft: () => this.#open.delete(number),
    });
    this.#open.set(number, ask);
    const about = { method, target, scheme, authority, fields: request.fields.raw, map: policy.name };
    const throughputKbps = hasPlayerReport(request) ? request.throughputKbps?.() : undefined;
    const estimate = throughputKbps !== undefined && { throughputKbps };
    this.#port.postMessage({ kind: 'ask', ask: number, ...about, ...estimate, hasBody: body !== undefined });
    this.#sweeping ??= setInterval(() => this.#sweep(), sweepMs).unref();
    return ask;
  }

  /** `piece` messages come with what they hold of the piece. */
  receive(event: AskEvent, bytes?: Buffer): void {
    const ask = this.#open.get(event.ask);
    if (ask === undefined) return;
    switch (event.kind) {
      case 'pull':
        return ask.sendContent();
      case 'informed':
        return ask.inform(event.status, new Fields(event.fields));
      case 'answered':
        return ask.answered(event.head);
      case 'failed':
        return ask.failed(event.error);
      case 'bytes':
        return ask
          .reading(event.read)
          ?.add(Buffer.from(event.bytes.buffer, event.bytes.byteOffset, event.bytes.length));
      case 'piece':
        return bytes === undefined ? undefined : ask.reading(event.read)?.add(bytes);
      case 'ended':
        return ask.reading(event.read)?.end(event.completeLength);
      default:
        return event satisfies never;
    }
  }

  #sweep(): void {
    for (const ask of this.#idle) if (ask.idle) ask.leave();
    this.#idle = [...this.#open.values()].filter((ask) => ask.idle);
    if (this.#open.size > 0) return;
    clearInterval(this.#sweeping);
    this.#sweeping = undefined;
  }
}
