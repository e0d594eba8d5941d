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

const objects = new ObjectBytes(objectBytesMax);
const lastModified = 'Sun, 01 Nov 2026 12:00:00 GMT';
let delayMs = 0;
let requests = 0;
let bodyBytes = 0;

const server = createServer({ keepAliveTimeout: 300_000, requestTimeout: 0 }, (request, response) => {
  requests++;
  if (delayMs === 0) answer(request, response);
  else setTimeout(answer, delayMs, request, response);
});
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', 4096, () => tell());
process.on('message', (command: OriginCommand) => {
  if (command.kind === 'delay') delayMs = command.delayMs;
  tell();
});
process.on('disconnect', () => process.exit(0));

function answer(request: IncomingMessage, response: ServerResponse): void {
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
  const body = request.method === 'HEAD' ? undefined : objects.slice(object.name, first, last);
  bodyBytes += body?.length ?? 0;
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

function readRange(range: string | undefined, length: number): { first: number; last: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = match[2] === '' ? length - 1 : Math.min(Number(match[2]), length - 1);
  return first <= last ? { first, last } : undefined;
}

function tell(): void {
  process.send?.({ requests, bodyBytes } satisfies OriginCount);
}
