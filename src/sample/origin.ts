import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readSampleFiles, type SampleFiles } from './files.ts';
import { type LiveChannel, livePlaylist, livePlaylistSinceMs, liveSegment } from './live.ts';
import { answerFrom, type Resource, type ResourceAnswer, resourceOf } from './resource.ts';

interface SampleOriginOptions {
  /** What `/sample/status.json` says at each request; a JSON value. */
  readonly status: () => unknown;
  /** The clock of the live channel. */
  readonly nowMs?: () => number;
}

export interface SampleOrigin {
  /** Base URL without a slash at its end, on the loopback interface. */
  readonly url: string;
  /** Cuts open connections; resolves when the port is free. */
  close(): Promise<void>;
}

/**
 * Starts the built-in origin: VOD under `/vod/`, a live channel under `/live/`, the page at `/`. It is a server of its
 * own, so that the sample takes the same way through the node as any other origin's bytes.
 */
export async function startSampleOrigin({ status, nowMs = Date.now }: SampleOriginOptions): Promise<SampleOrigin> {
  const files = await readSampleFiles();
  const channel = liveChannelOf(files, nowMs());
  const find = (path: string): Resource | undefined => {
    if (path === '/sample/status.json') return statusResource(status(), nowMs());
    return files.get(path) ?? liveResource(path, { files, channel, nowMs: nowMs() });
  };
  const server = createServer((request, response) => respond(request, response, find));
  // The node's pool closes first; an origin that closed an idle connection under a request would cost a retry.
  server.keepAliveTimeout = 65_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => close(server) };
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  find: (path: string) => Resource | undefined,
): void {
  request.resume();
  const { status, headers, bytes } = answerTo(request, find);
  // A 304 has no content to state the length of.
  const length = status === 304 ? {} : { 'Content-Length': bytes.length };
  response.writeHead(status, { ...headers, ...length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}

function answerTo(request: IncomingMessage, find: (path: string) => Resource | undefined): ResourceAnswer {
  const { method, headers } = request;
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'only GET and HEAD', { Allow: 'GET, HEAD' });
  try {
    const resource = find((request.url ?? '/').split('?', 1)[0] ?? '/');
    if (resource === undefined) return refusal(404, 'not in the sample');
    // HEAD has no ranges (RFC 9110 section 14.2).
    return answerFrom(resource, method === 'HEAD' ? { ...headers, range: undefined } : headers);
  } catch (error) {
    return refusal(500, `the sample failed: ${String(error)}`);
  }
}

function refusal(status: number, why: string, headers: Record<string, string> = {}): ResourceAnswer {
  // Not to be kept: what is not there yet may be a live segment of the next second.
  const common = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
  return { status, headers: { ...headers, ...common }, bytes: Buffer.from(`${why}\n`) };
}

const livePath = '/vod/hls-ts/high/';

/**
 * When the channel began, for every node alike, so that it outlasts restarts and looks the same everywhere. Not 1970:
 * players keep lists by discontinuity sequence number, and hls.js walks them from zero, 0.8 s at 75 million.
 */
const liveEpochMs = Date.UTC(2026, 10, 1);

/** The channel repeats the MPEG-TS rendition. On a clock that is not set it began one round ago, with a full playlist. */
function liveChannelOf(files: SampleFiles, nowMs: number): LiveChannel {
  const playlist = files.get(`${livePath}index.m3u8`)?.bytes.toString('utf8') ?? '';
  const durationsMs = [...playlist.matchAll(/^#EXTINF:([\d.]+),/gm)].map(([, seconds]) => Number(seconds) * 1000);
  if (durationsMs.length === 0) throw new Error('the sample media are missing: run src/sample/make-media.sh');
  const roundMs = durationsMs.reduce((sum, each) => sum + each, 0);
  return { epochMs: nowMs < liveEpochMs ? nowMs - roundMs : liveEpochMs, durationsMs };
}

function liveResource(
  path: string,
  { files, channel, nowMs }: { files: SampleFiles; channel: LiveChannel; nowMs: number },
): Resource | undefined {
  if (path === '/live/index.m3u8') {
    return resourceOf(Buffer.from(livePlaylist(nowMs, channel)), {
      contentType: 'application/vnd.apple.mpegurl',
      cacheControl: 'max-age=1',
      modifiedMs: livePlaylistSinceMs(nowMs, channel),
    });
  }
  const sequence = /^\/live\/seg-(0|[1-9]\d{0,14})\.ts$/.exec(path)?.[1];
  if (sequence === undefined) return undefined;
  const index = liveSegment(Number(sequence), nowMs, channel);
  return index === undefined ? undefined : files.get(`${livePath}${String(index).padStart(2, '0')}.ts`);
}

function statusResource(status: unknown, modifiedMs: number): Resource {
  return resourceOf(Buffer.from(JSON.stringify(status)), {
    contentType: 'application/json',
    cacheControl: 'no-store',
    modifiedMs,
  });
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}
