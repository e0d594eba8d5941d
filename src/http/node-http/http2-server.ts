import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { Fields } from '../../fields.ts';
import { Exchange, type Front } from '../exchange/exchange.ts';
import type { ViewerLimits } from '../limits.ts';
import type { RequestHead } from '../request/request-head.ts';
import { RequestBody } from './body.ts';
import { Http2Responder } from './http2-responder.ts';

interface Http2Options {
  readonly front: Front;
  readonly limits: ViewerLimits;
  readonly onSession: (session: ServerHttp2Session) => void;
}

/** An HTTP/2 server that does not listen: TLS sockets that negotiated h2 are given to it as `connection` events. */
export function createHttp2Server(options: Http2Options): Http2Server {
  const { limits } = options;
  const server = createServer({
    // Header lists of one request, decoded; RFC 9113 section 6.5.2 counts 32 bytes more for each line.
    maxHeaderListPairs: limits.fieldsMax + 4,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    // Resets a second a client may cause before the connection ends (rapid reset, CVE-2023-44487).
    streamResetBurst: 1000,
    streamResetRate: 33,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionMemory: 16,
    settings: {
      maxConcurrentStreams: limits.streamsMax,
      maxHeaderListSize: limits.headBytesMax + limits.targetBytesMax + limits.fieldsMax * 32,
      enablePush: false,
    },
  });
  server.on('session', (session) => onSession(session, options));
  server.on('stream', (stream: ServerHttp2Stream, _headers, flags, rawHeaders) => {
    const hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    onStream(stream, { ...options, rawHeaders, hasBody });
  });
  return server;
}

function onSession(session: ServerHttp2Session, { limits, onSession }: Http2Options): void {
  onSession(session);
  // A broken connection ends its streams, which is where it is handled.
  session.on('error', () => session.destroy());
  let streams = 0;
  session.on('stream', (stream) => {
    streams++;
    stream.once('close', () => {
      streams--;
    });
  });
  session.setTimeout(limits.keepAliveTimeoutMs, () => {
    if (streams === 0) session.close();
  });
}

interface StreamOptions extends Http2Options {
  readonly rawHeaders: readonly string[];
  readonly hasBody: boolean;
}

function onStream(stream: ServerHttp2Stream, options: StreamOptions): void {
  const { limits } = options;
  stream.on('error', () => {});
  const head = readHead(stream, options);
  const exchange = new Exchange(options.front, head, new Http2Responder(stream));
  stream.setTimeout(limits.stallTimeoutMs, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
  const requestTimer = options.hasBody
    ? setTimeout(() => {
        if (!stream.readableEnded) stream.close(constants.NGHTTP2_CANCEL);
      }, limits.requestTimeoutMs)
    : undefined;
  stream.once('finish', () => {
    // RFC 9113 section 8.1: the response is whole, the rest of the request is not needed.
    if (options.hasBody && !stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
  });
  stream.once('close', () => {
    clearTimeout(requestTimer);
    head.body?.stop();
    exchange.closed(stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR);
  });
  exchange.run();
}

function readHead(
  stream: ServerHttp2Stream,
  { rawHeaders, hasBody, limits }: StreamOptions,
): RequestHead & { body: RequestBody | undefined } {
  const { pseudo, fields } = splitFields(rawHeaders);
  const { session } = stream;
  const socket = session?.socket;
  const expects = fields.get('expect')?.toLowerCase() === '100-continue';
  const onFirstRead = () => {
    if (expects && !stream.destroyed && !stream.headersSent) stream.additionalHeaders({ ':status': 100 });
  };
  return {
    method: pseudo.get(':method') ?? '',
    // CONNECT has no path; it is refused by its method.
    target: pseudo.get(':path') ?? '/',
    version: '2',
    fields,
    scheme: session?.encrypted === false ? 'http' : 'https',
    authority: pseudo.get(':authority'),
    localAuthority: `${socket?.localAddress ?? 'localhost'}:${socket?.localPort ?? 443}`,
    remote: socket?.remoteAddress ?? '',
    socket,
    body: hasBody ? new RequestBody(stream, { bytesMax: limits.bodyBytesMax, onFirstRead }) : undefined,
  };
}

/** Pseudo-header fields apart; cookie crumbs joined to one line (RFC 9113 section 8.2.3). */
function splitFields(rawHeaders: readonly string[]): { pseudo: Map<string, string>; fields: Fields } {
  const pseudo = new Map<string, string>();
  const lines: string[] = [];
  const crumbs: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i] as string, rawHeaders[i + 1] as string];
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (name === 'cookie') crumbs.push(value);
    else lines.push(name, value);
  }
  if (crumbs.length > 0) lines.push('cookie', crumbs.join('; '));
  return { pseudo, fields: new Fields(lines) };
}
