/**
 * The origin of the bench, a process of its own: `origin.ts PORT`. Any `/o/BYTES/NAME.m4s` exists, may be cached for a
 * day and takes single ranges. It tells its parent what it was asked for over the IPC channel.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ObjectBytes, objectBytesMax, readTarget } from './objects.ts';

/** What the parent sends. */
export type OriginCommand =
  | { readonly kind: 'count' }
  /** From the request to the head of the answer. */
  | { readonly kind: 'delay'; readonly delayMs: number };

/** The answer to each command. */
export interface OriginCount {
  readonly requests: number;
  readonly bodyBytes: number;
}

const lastModified = 'Sun, 01 Nov 2026 12:00:00 GMT';
const backlog = 4096;

class Origin {
  readonly #objects = new ObjectBytes(objectBytesMax);
  #delayMs = 0;
  #requests = 0;
  #bodyBytes = 0;

  listen(port: number): void {
    const server = createServer({ keepAliveTimeout: 300_000, requestTimeout: 0 }, (request, response) => {
      this.#requests++;
      if (this.#delayMs === 0) this.#answer(request, response);
      else setTimeout(() => this.#answer(request, response), this.#delayMs);
    });
    process.on('message', (command: OriginCommand) => {
      if (command.kind === 'delay') this.#delayMs = command.delayMs;
      this.#tell();
    });
    process.on('disconnect', () => process.exit(0));
    server.listen(port, '127.0.0.1', backlog, () => this.#tell());
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const object = readTarget(request.url ?? '');
    if (object === undefined || object.bytes > objectBytesMax) {
      response.writeHead(404, { 'Content-Length': 0 }).end();
      return;
    }
    const etag = `"${object.bytes}-${object.name}"`;
    const ifRange = request.headers['if-range'];
    const range = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
    const part = readRange(range, object.bytes);
    const { first, last } = part ?? { first: 0, last: object.bytes - 1 };
    const body = request.method === 'HEAD' ? undefined : this.#objects.slice(object.name, first, last);
    this.#bodyBytes += body?.length ?? 0;
    response.writeHead(part === undefined ? 200 : 206, {
      'Content-Type': 'video/mp4',
      'Content-Length': last - first + 1,
      'Accept-Ranges': 'bytes',
      'Cache-Control': 'public, max-age=86400',
      ETag: etag,
      'Last-Modified': lastModified,
      ...(part && { 'Content-Range': `bytes ${first}-${last}/${object.bytes}` }),
    });
    response.end(body);
  }

  #tell(): void {
    process.send?.({ requests: this.#requests, bodyBytes: this.#bodyBytes } satisfies OriginCount);
  }
}

function readRange(range: string | undefined, length: number): { first: number; last: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === '' ? length - 1 : Math.min(Number(match[2]), length - 1);
  return first <= last ? { first, last } : undefined;
}

new Origin().listen(Number(process.argv[2] ?? 0));
