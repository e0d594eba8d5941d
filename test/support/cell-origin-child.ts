/**
 * The origin of a cell in a process of its own: `cell-origin-child.ts HOST MEDIA`. Serves what cell-media.ts names, takes
 * single ranges, and tells its parent over IPC what it was asked for.
 */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CellMedia, KnownBytes, lengthOf, newestSegment, playlistAt, playlistPath } from './cell-media.ts';
import type { CellOriginCommand, CellOriginReport, SentBody } from './cell-origin.ts';
import { askedRange } from './origin-resource.ts';

const [, , host = '127.0.0.1', mediaJson = '{}'] = process.argv;
const media = JSON.parse(mediaJson) as CellMedia;
const known = new KnownBytes();
const paths = new Map<string, { requests: number; bodyBytes: number; readonly bodies: SentBody[] }>();
let settings: CellOriginCommand = {};

const server = createServer({ keepAliveTimeout: 300_000 }, (request, response) => {
  request.resume();
  response.on('error', () => {});
  answer(request, response).catch(() => response.destroy());
});
process.on('message', (command: CellOriginCommand) => {
  settings = { ...settings, ...command };
  tell();
});
process.on('disconnect', () => process.exit(0));
server.listen(0, host, 2048, tell);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, by = '', path = '/'] = /^(?:\/by\/([\w-]+))?(\/[^?]*)/.exec(request.url ?? '/') ?? [];
  const count = paths.get(path) ?? { requests: 0, bodyBytes: 0, bodies: [] };
  paths.set(path, count);
  count.requests++;
  if (settings.delayMs) await sleep(settings.delayMs);
  const found = find(path);
  if (found === undefined) {
    response.writeHead(404, { 'Content-Length': 0, 'Cache-Control': 'no-store' }).end();
    return;
  }
  const { bytes, etag, cacheControl } = found;
  const common = { ETag: etag, 'Cache-Control': cacheControl, 'Accept-Ranges': 'bytes', ...digestOf(bytes) };
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, common).end();
    return;
  }
  const { range, 'if-range': ifRange } = request.headers;
  const part = askedRange({ range, ifRange: ifRange?.toString() }, { length: bytes.length, etag });
  if (part === 'unsatisfiable') {
    response.writeHead(416, { 'Content-Range': `bytes */${bytes.length}`, 'Content-Length': 0 }).end();
    return;
  }
  const { first, last } = part === 'all' ? { first: 0, last: bytes.length - 1 } : part;
  response.writeHead(part === 'all' ? 200 : 206, {
    ...common,
    'Content-Type': path === playlistPath ? 'application/vnd.apple.mpegurl' : 'video/mp4',
    'Content-Length': last - first + 1,
    ...(part !== 'all' && { 'Content-Range': `bytes ${first}-${last}/${bytes.length}` }),
  });
  const sent: SentBody = {
    by,
    etag,
    asked: range ?? 'all',
    first,
    bytes: 0,
    fromMs: performance.now(),
    toMs: undefined,
  };
  count.bodies.push(sent);
  await send(response, bytes.subarray(first, last + 1), (length) => {
    count.bodyBytes += length;
    sent.bytes += length;
  });
  sent.toMs = performance.now();
}

function find(path: string): { bytes: Buffer; etag: string; cacheControl: string } | undefined {
  if (path === playlistPath) {
    const bytes = Buffer.from(playlistAt(Date.now(), media));
    const etag = `"p${newestSegment(Date.now(), media.segmentMs)}"`;
    return { bytes, etag, cacheControl: 'max-age=1' };
  }
  const length = lengthOf(path, media);
  if (length === undefined) return undefined;
  const { version = 1, cacheControl = 'max-age=3600' } = settings;
  return { bytes: known.of(path, { length, version }), etag: `"v${version}"`, cacheControl };
}

/** In steps, so that what a rate or a client's leaving keeps back is not counted as sent. */
async function send(response: ServerResponse, bytes: Buffer, onSent: (bytes: number) => void): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; ) {
    const rate = settings.bytesPerSecond ?? 0;
    const step = rate > 0 ? Math.max(1_000, Math.ceil(rate / 40)) : 256 * 1024;
    const chunk = bytes.subarray(at, at + step);
    at += chunk.length;
    onSent(chunk.length);
    if (!response.write(chunk)) await drained(response);
    if (rate > 0) await sleep((chunk.length / rate) * 1000);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve();
    const end = () => {
      response.off('drain', end).off('close', end);
      resolve();
    };
    response.on('drain', end).on('close', end);
  });
}

function digestOf(bytes: Buffer): Record<string, string> {
  if (settings.reprDigest !== true) return {};
  return { 'Repr-Digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:` };
}

function tell(): void {
  const { port } = server.address() as AddressInfo;
  process.send?.({ port, paths: [...paths] } satisfies CellOriginReport);
}
