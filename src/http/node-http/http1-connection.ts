import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Fields } from '../../fields.ts';
import { hostAndPort } from '../../listening.ts';
import { refusedRecord } from '../exchange/access.ts';
import { Exchange, type Front } from '../exchange/exchange.ts';
import type { ViewerLimits } from '../limits.ts';
import type { Reply } from '../reply/reply.ts';
import { serializeReply, textReply } from '../reply/text-reply.ts';
import type { RequestHead } from '../request/request-head.ts';
import { RequestBody } from './body.ts';
import { Http1Responder } from './http1-responder.ts';

export interface Http1Options {
  readonly front: Front;
  readonly limits: ViewerLimits;
  /** Whether this process is going away: every response then ends its connection. */
  readonly draining: () => boolean;
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly continues: boolean;
}

/** What is left to read of refused input, so that the answer is not lost to a reset. */
const lingerMs = 500;
/** Request content nobody wants that is still read. */
const discardBytesMax = 64 * 1024;

/** One HTTP/1.1 connection: pipelined requests run one after the other, in order (RFC 9112 section 9.3.2). */
export class Http1Connection {
  readonly #socket: Socket;
  readonly #options: Http1Options;
  readonly #waiting: Waiting[] = [];
  #current: Waiting | undefined;
  #exchange: Exchange | undefined;
  /** No further request is taken: too many wait, or the input is malformed. */
  #last = false;
  #refusal: Reply | undefined;

  constructor(socket: Socket, options: Http1Options) {
    this.#socket = socket;
    this.#options = options;
    socket.once('close', () => {
      this.#waiting.length = 0;
    });
  }

  get idle(): boolean {
    return this.#current === undefined && this.#waiting.length === 0;
  }

  /** A parsed header section. `continues`: the viewer waits for 100 (Continue) before it sends content. */
  accept(request: IncomingMessage, response: ServerResponse, { continues }: { continues: boolean }): void {
    if (this.#last) return;
    if (request.httpVersionMajor !== 1) {
      this.refuse(textReply(505, 'only HTTP/1.0 and HTTP/1.1 here', { close: true }));
      return;
    }
    this.#last = this.#waiting.length + 1 >= this.#options.limits.pipelineMax;
    this.#waiting.push({ request, response, continues });
    if (this.#current === undefined) this.#next();
  }

  /** Input that no request can be made of: answered after what came before it, then the connection ends. */
  refuse(reply: Reply): void {
    if (this.#refusal !== undefined) return;
    this.#last = true;
    this.#refusal = reply;
    if (this.#current === undefined) this.#end(reply);
    // The malformed part is content of the request being answered, or comes behind it.
    else if (!this.#current.request.complete) this.#exchange?.refuse(reply);
  }

  #next(): void {
    // A response that closes the connection leaves those behind it unanswered (RFC 9112 section 9.6).
    if (!this.#socket.writable) this.#waiting.length = 0;
    const waiting = this.#waiting.shift();
    this.#current = waiting;
    if (waiting !== undefined) this.#start(waiting);
    else if (this.#refusal !== undefined) this.#end(this.#refusal);
  }

  #start({ request, response, continues }: Waiting): void {
    const { front, draining } = this.#options;
    const closing = () => {
      const lastOne = this.#last && this.#waiting.length === 0;
      return (
        draining() || (!request.complete && this.#refusal !== undefined) || (lastOne && this.#refusal === undefined)
      );
    };
    const body = this.#body(request, continues ? response : undefined);
    const head = this.#head(request, body);
    const exchange = new Exchange(front, head, new Http1Responder(response, closing));
    this.#exchange = exchange;
    response.once('close', () => {
      exchange.closed(response.writableFinished);
      body?.stop();
      if (!request.complete) discardRest(request);
      this.#next();
    });
    exchange.run();
    // What waited behind another request learns only now that the rest of it cannot be read.
    const broken = !request.complete && !response.writableEnded;
    if (broken && this.#refusal !== undefined) exchange.refuse(this.#refusal);
  }

  #body(request: IncomingMessage, continuing: ServerResponse | undefined): RequestBody | undefined {
    const { headers } = request;
    if (headers['transfer-encoding'] === undefined && !(Number(headers['content-length']) > 0)) return undefined;
    const onFirstRead = () => {
      if (continuing?.headersSent === false) continuing.writeContinue();
    };
    return new RequestBody(request, { bytesMax: this.#options.limits.bodyBytesMax, onFirstRead });
  }

  #head(request: IncomingMessage, body: RequestBody | undefined): RequestHead {
    const { socket } = request;
    return {
      method: request.method ?? '',
      target: request.url ?? '',
      version: request.httpVersionMinor === 0 ? '1.0' : '1.1',
      fields: new Fields(request.rawHeaders),
      scheme: 'encrypted' in socket ? 'https' : 'http',
      localAuthority: localAuthority(socket),
      remote: socket.remoteAddress ?? '',
      socket,
      body,
    };
  }

  #end(reply: Reply): void {
    const socket = this.#socket;
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    const { front } = this.#options;
    front.onStarted();
    front.onFinished(refusedRecord(socket.remoteAddress ?? '', reply.status));
    socket.end(serializeReply(reply));
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once('close', () => clearTimeout(timer));
  }
}

/** Reads on past content nobody asked for, so that the connection can be used again, but not without end. */
function discardRest(request: IncomingMessage): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > discardBytesMax) request.socket.destroy();
  });
}

function localAuthority({ localAddress = 'localhost', localPort = 80 }: Socket): string {
  // Without the zone of a link-local address.
  return hostAndPort({ host: localAddress.replace(/%.*/, ''), port: localPort });
}
