import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { askedRange, type OriginResource, resourceSeed, validatorsOf } from './origin-resource.ts';
import { patternBytes } from './pattern.ts';

export { type OriginResource, resourceBytes, resourceSeed } from './origin-resource.ts';
export { assertPattern, patternBytes } from './pattern.ts';

/** Keys are paths without query; a listener takes the answer into its own hands. */
export type OriginRoutes = Record<string, OriginResource | RequestListener>;

/** One request as it arrived. */
export interface OriginRequest {
  readonly method: string;
  /** Byte for byte as on the request line. */
  readonly target: string;
  readonly path: string;
  readonly range: string | undefined;
  /** Name, value, name, value. */
  readonly rawHeaders: readonly string[];
  /** Body bytes handed to the socket so far. */
  sent: number;
}

/** A running scriptable origin on the loopback interface. */
export class TestOrigin {
  /** Every request in order of arrival. */
  readonly requests: OriginRequest[] = [];
  readonly #server: Server;
  readonly #routes: OriginRoutes | RequestListener;
  readonly #sockets = new Set<Socket>();
  readonly #closing = new AbortController();

  constructor(routes: OriginRoutes | RequestListener) {
    this.#routes = routes;
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => this.#receive(request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** `http://127.0.0.1:<port>`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Requests so far: to this path (query left aside), or all. */
  count(path?: string): number {
    return this.requests.filter((each) => path === undefined || each.path === path).length;
  }

  /** Body bytes handed to sockets so far: for this path, or all. */
  sent(path?: string): number {
    const wanted = this.requests.filter((each) => path === undefined || each.path === path);
    return wanted.reduce((sum, each) => sum + each.sent, 0);
  }

  /** Range fields that came for this path, in order; undefined where a request had none. */
  ranges(path: string): (string | undefined)[] {
    return this.requests.filter((each) => each.path === path).map((each) => each.range);
  }

  /** Resolves once no connection is left open: the client has closed or reset all of them. */
  async idle(): Promise<void> {
    const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));
    while (this.#sockets.size > 0) await Promise.all([...this.#sockets].map(closed));
  }

  async listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '/';
    const path = target.split('?', 1)[0] ?? '/';
    const { method = 'GET', rawHeaders } = request;
    const seen: OriginRequest = { method, target, path, range: request.headers.range, rawHeaders, sent: 0 };
    this.requests.push(seen);
    countBody(response, seen);
    const route = typeof this.#routes === 'function' ? this.#routes : this.#routes[path];
    if (route === undefined) response.writeHead(404, { 'Content-Length': '0' }).end();
    else if (typeof route === 'function') route(request, response);
    else this.#answer(route, { request, response, seen }).catch(() => response.destroy());
  }

  async #answer(
    resource: OriginResource,
    exchange: { request: IncomingMessage; response: ServerResponse; seen: OriginRequest },
  ): Promise<void> {
    const { request, response, seen } = exchange;
    const number = this.count(seen.path);
    const faulty = number <= (resource.faultTimes ?? Infinity);
    request.resume();
    if (resource.delayMs !== undefined) await sleep(resource.delayMs, undefined, { signal: this.#closing.signal });
    await resource.until;
    if (faulty && resource.hangBeforeHeaders) return;
    const { refuseTimes = 0, refuseAfterRequests = 0 } = resource;
    if (number > refuseAfterRequests && number <= refuseAfterRequests + refuseTimes) {
      response.writeHead(resource.refuseStatus ?? 503, { 'Content-Length': '0', ...resource.refuseFields }).end();
      return;
    }
    const version = (resource.version ?? 1) + (number > (resource.changeAfterRequests ?? Infinity) ? 1 : 0);
    const part = writeHead(resource, { request, response, version });
    if (part === undefined) response.end();
    else {
      const seed = resourceSeed(resource.seed ?? seen.path, version);
      await this.#sendBody(response, { ...part, seed, resource: faulty ? resource : withoutFaults(resource) });
    }
  }

  async #sendBody(
    response: ServerResponse,
    body: { seed: string; first: number; length: number; resource: OriginResource },
  ): Promise<void> {
    const { seed, first, length, resource } = body;
    const { resetAfterBytes = Infinity, cutAfterBytes = Infinity, hangAfterBytes = Infinity } = resource;
    const stopAt = Math.min(resetAfterBytes, cutAfterBytes, hangAfterBytes, length);
    const rate = resource.bytesPerSecond ?? Infinity;
    const step = Math.min(64 * 1024, Math.max(1, Math.ceil(rate / 20)));
    response.flushHeaders();
    for (let at = 0; at < stopAt && !response.destroyed; at += step) {
      const chunk = patternBytes(seed, first + at, Math.min(step, stopAt - at));
      if (!response.write(chunk)) await drained(response);
      if (rate !== Infinity) await sleep((step / rate) * 1000, undefined, { signal: this.#closing.signal });
    }
    if (stopAt === resetAfterBytes) reset(response);
    else if (stopAt === cutAfterBytes) response.socket?.end();
    else if (stopAt !== hangAfterBytes) finish(response, resource);
  }
}

/**
 * Starts an origin on the loopback interface.
 * @param routes resources by path (with ranges, validators and faults), or one request listener for everything.
 *   Read at each request: entries may be added and replaced while it runs
 * @param port 0 for a free one; a number to come back where an origin was before
 */
export async function startOrigin(routes: OriginRoutes | RequestListener, port = 0): Promise<TestOrigin> {
  const origin = new TestOrigin(routes);
  await origin.listen(port);
  return origin;
}

/** Writes status and fields; returns the part of the representation that is to follow, undefined for none. */
function writeHead(
  resource: OriginResource,
  exchange: { request: IncomingMessage; response: ServerResponse; version: number },
): { first: number; length: number } | undefined {
  const { request, response, version } = exchange;
  const validators = validatorsOf(resource, version);
  const about = { ...validators, length: resource.length };
  const asked = { range: request.headers.range, ifRange: request.headers['if-range']?.toString() };
  const range = resource.ranges === false ? 'all' : askedRange(asked, about);
  const fields: Record<string, string> = {
    'Content-Type': resource.contentType ?? 'application/octet-stream',
    ...(validators.etag !== undefined && { ETag: validators.etag }),
    ...(validators.lastModified !== undefined && { 'Last-Modified': validators.lastModified }),
    ...(resource.ranges !== false && { 'Accept-Ranges': 'bytes' }),
    ...resource.fields,
  };
  if (validators.etag !== undefined && request.headers['if-none-match'] === validators.etag) {
    response.writeHead(304, fields);
    return undefined;
  }
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...fields, 'Content-Range': `bytes */${resource.length}`, 'Content-Length': '0' });
    return undefined;
  }
  const { first, last } = range === 'all' ? { first: 0, last: resource.length - 1 } : range;
  const length = last - first + 1;
  if (range !== 'all') fields['Content-Range'] = `bytes ${first}-${last}/${resource.length}`;
  if (!resource.chunked) fields['Content-Length'] = String(length + (resource.contentLengthLie ?? 0));
  response.strictContentLength = false;
  response.writeHead(range === 'all' ? 200 : 206, fields);
  return request.method === 'HEAD' ? undefined : { first, length };
}

function finish(response: ServerResponse, resource: OriginResource): void {
  // A Content-Length that is too long ends by the end of the connection, as it does with a server that dies.
  if ((resource.contentLengthLie ?? 0) > 0) response.socket?.end();
  else response.end();
}

/** Lets what was written go out first, then sends RST. */
function reset(response: ServerResponse): void {
  const { socket } = response;
  socket?.write('', () => socket.resetAndDestroy());
}

function withoutFaults(resource: OriginResource): OriginResource {
  const { hangAfterBytes: _hang, resetAfterBytes: _reset, cutAfterBytes: _cut, ...rest } = resource;
  return rest;
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const listeners = new AbortController();
  const { signal } = listeners;
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]).finally(() =>
    listeners.abort(),
  );
}

function countBody(response: ServerResponse, seen: OriginRequest): void {
  const count = (chunk: unknown) => {
    if (typeof chunk === 'string' || chunk instanceof Uint8Array) seen.sent += Buffer.byteLength(chunk);
  };
  const { write, end } = response;
  response.write = function counted(this: ServerResponse, ...rest: unknown[]) {
    count(rest[0]);
    return Reflect.apply(write, this, rest);
  } as ServerResponse['write'];
  response.end = function counted(this: ServerResponse, ...rest: unknown[]) {
    count(rest[0]);
    return Reflect.apply(end, this, rest);
  } as ServerResponse['end'];
}
