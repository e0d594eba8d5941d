import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerFrom } from '../../../src/sample/resource.ts';
import { type Answer, type Ask, refused, type Site } from './site.ts';

/** What was asked of one path, query left aside. */
export interface Count {
  requests: number;
  /** Body bytes handed to sockets. */
  bytes: number;
  /** Of one whole answer. */
  length: number;
  statuses: Record<number, number>;
}

/** Takes an answer into its own hands: another one, the connection cut, or undefined for the site's own. */
export type Fault = (ask: Ask) => Answer | 'cut' | undefined;

/**
 * An origin with one site in each folder, on the loopback interface. It may go away and come back at its address, with
 * other sites, and answer with faults.
 */
export class LiveServer {
  /** By path. */
  readonly counts = new Map<string, Count>();
  /** Asked before the sites are. */
  fault: Fault | undefined;
  sites: Readonly<Record<string, Site>>;
  #server: Server | undefined;
  #closing = new AbortController();
  #port = 0;

  constructor(sites: Readonly<Record<string, Site>>) {
    this.sites = sites;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Comes (back) at the address it has, or any. */
  async open(): Promise<void> {
    this.#closing = new AbortController();
    const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      void this.#receive(request, response);
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Stops to listen and cuts every connection, as a process that is killed. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    this.#closing.abort();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }

  /** Sums of what was counted for paths that match. */
  sum(paths: RegExp): { requests: number; bytes: number; uniqueBytes: number } {
    const total = { requests: 0, bytes: 0, uniqueBytes: 0 };
    for (const [path, { requests, bytes, length }] of this.counts) {
      if (!paths.test(path)) continue;
      total.requests += requests;
      total.bytes += bytes;
      total.uniqueBytes += Math.min(length, bytes);
    }
    return total;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    response.on('error', () => {});
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://origin');
    const [, site = '', ...rest] = pathname.split('/');
    const ask: Ask = {
      path: rest.join('/'),
      query: searchParams,
      range: request.headers.range,
      via: request.headers.via,
      signal: AbortSignal.any([gone.signal, this.#closing.signal]),
    };
    const count = this.#countOf(pathname);
    count.requests++;
    try {
      const answer = this.fault?.(ask) ?? (await this.sites[site]?.answer(ask)) ?? refused(404, 'no such thing');
      if (answer === 'cut') request.socket.destroy();
      else await send(answer, { request, response, count });
    } catch {
      response.destroy();
    }
  }

  #countOf(path: string): Count {
    const known = this.counts.get(path);
    if (known !== undefined) return known;
    const count: Count = { requests: 0, bytes: 0, length: 0, statuses: {} };
    this.counts.set(path, count);
    return count;
  }
}

const cors = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Age, Cache-Status, Content-Length, Content-Range, Date, ETag',
  'Access-Control-Allow-Headers': '*',
};

async function send(
  answer: Answer,
  { request, response, count }: { request: IncomingMessage; response: ServerResponse; count: Count },
): Promise<void> {
  const { body } = answer;
  const { status, fields, bytes } = Buffer.isBuffer(body)
    ? whole({ ...answer, body }, request)
    : { ...answer, bytes: body };
  count.statuses[status] = (count.statuses[status] ?? 0) + 1;
  const put = (chunk: Buffer) => {
    count.bytes += chunk.length;
    return response.write(chunk);
  };
  if (Buffer.isBuffer(bytes)) {
    if (Buffer.isBuffer(body) && status < 300) count.length = Math.max(count.length, body.length);
    response.writeHead(status, { ...cors, ...fields, ...(status !== 304 && { 'Content-Length': bytes.length }) });
    if (request.method !== 'HEAD') put(bytes);
    response.end();
    return;
  }
  response.writeHead(status, { ...cors, ...fields });
  response.flushHeaders();
  let sent = 0;
  for await (const chunk of bytes) {
    sent += chunk.length;
    if (!put(chunk)) await once(response, 'drain');
  }
  if (status === 200) count.length = Math.max(count.length, sent);
  response.end();
}

/** Ranges and conditions on bytes that are all there. */
function whole(
  { status, fields, body }: Answer & { readonly body: Buffer },
  { method, headers }: IncomingMessage,
): { status: number; fields: Readonly<Record<string, string>>; bytes: Buffer } {
  if (status !== 200) return { status, fields, bytes: body };
  const etag = fields['ETag'] ?? `"${createHash('sha1').update(body).digest('base64url')}"`;
  const about = {
    bytes: body,
    etag,
    contentType: fields['Content-Type'] ?? '',
    cacheControl: fields['Cache-Control'] ?? '',
    lastModified: new Date(0).toUTCString(),
  };
  const answer = answerFrom(about, method === 'HEAD' ? { ...headers, range: undefined } : headers);
  const { 'Last-Modified': _never, ...rest } = answer.headers;
  return { status: answer.status, fields: { ...fields, ...rest }, bytes: answer.bytes };
}
