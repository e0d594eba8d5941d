import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import type { ViewerLimits } from '../limits.ts';
import type { Reply } from '../reply/reply.ts';
import { textReply } from '../reply/text-reply.ts';
import { Http1Connection, type Http1Options } from './http1-connection.ts';

/** An HTTP/1.1 server on node:http that is not listening yet; over TLS when a certificate is given. */
export function createHttp1Server(options: Http1Options, tls?: TlsOptions): Server | SecureServer {
  const { limits } = options;
  const settings = serverSettings(limits);
  const server = tls === undefined ? createServer(settings) : createSecureServer({ ...settings, ...tls });
  server.timeout = limits.stallTimeoutMs;
  const connections = new WeakMap<Duplex, Http1Connection>();
  const connectionOf = (socket: Duplex): Http1Connection =>
    connections.getOrInsertComputed(socket, () => new Http1Connection(socket as Socket, options));
  const accept = (continues: boolean) => (request: IncomingMessage, response: ServerResponse) =>
    connectionOf(request.socket).accept(request, response, { continues });
  server.on('request', accept(false));
  server.on('checkContinue', accept(true));
  // Validated with everything else of the request, which then is answered with 417.
  server.on('checkExpectation', accept(false));
  server.on('connect', (_request: IncomingMessage, socket: Duplex) => {
    // From here on node leaves the socket to us, with what is still to be answered before this.
    socket.on('error', () => {});
    socket.on('timeout', () => socket.destroy());
    connectionOf(socket).refuse(textReply(501, 'CONNECT is not supported', { close: true }));
  });
  server.on('clientError', (error: ParseError, socket: Duplex) => {
    const silent = error.code === 'ECONNRESET' || (socket as Socket).bytesRead === 0;
    if (silent || !socket.writable) socket.destroy();
    else connectionOf(socket).refuse(refusalOf(error, limits));
  });
  server.on('timeout', (socket: Socket) => {
    // An idle connection, or one whose viewer takes nothing of what waits for it. Waiting for the origin is neither.
    if (connections.get(socket)?.idle !== false || socket.writableLength > 0) socket.destroy();
  });
  return server;
}

function serverSettings(limits: ViewerLimits): ServerOptions {
  return {
    // Both limits are checked exactly once the section is read; here only memory is bounded.
    maxHeaderSize: limits.headBytesMax + limits.targetBytesMax,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(100, Math.min(1000, limits.headTimeoutMs / 4)),
    // Answered by readRequest, like every other malformed request.
    requireHostHeader: false,
    noDelay: true,
  };
}

interface ParseError extends Error {
  readonly code?: string;
  readonly rawPacket?: Buffer;
}

function refusalOf(error: ParseError, limits: ViewerLimits): Reply {
  const refuse = (status: number, text: string) => textReply(status, text, { close: true });
  switch (error.code) {
    case 'HPE_HEADER_OVERFLOW':
      return hasLongTarget(error.rawPacket, limits.targetBytesMax)
        ? refuse(414, `the request target is longer than ${limits.targetBytesMax} bytes`)
        : refuse(431, `the header section is larger than ${limits.headBytesMax} bytes`);
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return refuse(413, 'the chunk extensions are too long');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refuse(408, 'the request did not arrive in time');
    case 'HPE_INVALID_VERSION':
      return refuse(505, 'only HTTP/1.0 and HTTP/1.1 here');
    default:
      return refuse(400, 'the request is malformed');
  }
}

/** Whether the overflow came in the request line: no line end within the bound. */
function hasLongTarget(packet: Buffer | undefined, bytesMax: number): boolean {
  if (packet === undefined || !/^[A-Z]{1,32} /.test(packet.toString('latin1', 0, 33))) return false;
  const lineEnd = packet.indexOf('\n');
  return lineEnd === -1 || lineEnd > bytesMax;
}
