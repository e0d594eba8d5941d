import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Cache, MapPolicy } from '../cache/types.ts';
import type { AccessRecord } from './access.ts';
import { acceptTogether } from './accepts.ts';
import { type CertificateFiles, loadCertificate, watchCertificate } from './certificate.ts';
import { Connections } from './connections.ts';
import type { Front, ViewerLog } from './exchange.ts';
import { type FileBacking, openSendfile } from './file-writes.ts';
import { createHttp1Server } from './http1-server.ts';
import { createHttp2Server } from './http2-server.ts';
import { LeanFront, leanFrontOf } from './lean-front.ts';
import { type ViewerLimits, viewerLimitsDefault } from './limits.ts';
import { longestFirst } from './policies.ts';
import { ReplyPlanner } from './reply.ts';
import { openThroughput } from './socket-throughput.ts';
import { UnsentBound } from './unsent-bound.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 for any. */
  readonly port: number;
}

export interface ViewersOptions {
  readonly listen: readonly ListenAddress[];
  /** Addresses for HTTPS (h2 and http/1.1 by ALPN); needs `tls`. */
  readonly tlsListen?: readonly ListenAddress[];
  readonly tls?: CertificateFiles;
  readonly cache: Cache;
  /** The longest prefix that covers a path wins; a path that none covers is answered with 404. */
  readonly policies: readonly MapPolicy[];
  readonly limits?: Partial<ViewerLimits>;
  /** Others may listen on the same addresses, each getting a share of the connections. */
  readonly reusePort?: boolean;
  /** Memory of content that is in a file as well, from which viewers without TLS are sent it. */
  readonly backing?: FileBacking | undefined;
  /** Bytes that the kernel may hold unsent for all viewers together; undefined: as many as it likes. */
  readonly unsentBytesMax?: number | undefined;
  /** False: every connection is read by node:http from its first byte. Default true. */
  readonly lean?: boolean;
  readonly log: ViewerLog;
  readonly onStarted?: () => void;
  /** Once for each request, when its response is out or its viewer gone. */
  readonly onFinished: (record: AccessRecord) => void;
}

/** The running viewer listeners. Draining is `stopAccepting`, then `drain`, then `close`. */
export interface Viewers {
  /** Where it listens, in the order of `listen`, then `tlsListen`. */
  readonly urls: readonly string[];
  /** New connections are refused from now on; those that exist go on. */
  stopAccepting(): void;
  /**
   * Lets running responses finish and ends connections without cutting any, at most for that long; then cuts.
   * Resolves when no connection is left.
   */
  drain(deadlineMs: number): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
  replacePolicies(policies: readonly MapPolicy[]): void;
  connections(): number;
}

/** Starts serving `cache` to viewers over HTTP/1.1 and, with a certificate, HTTPS with HTTP/2. Rejects if it cannot listen. */
export async function startViewers(options: ViewersOptions): Promise<Viewers> {
  const limits: ViewerLimits = { ...viewerLimitsDefault, ...options.limits };
  const front: Front = {
    cache: options.cache,
    policies: longestFirst(options.policies),
    limits,
    planner: new ReplyPlanner(),
    log: options.log,
    throughputOf: openThroughput(),
    onStarted: options.onStarted ?? (() => {}),
    onFinished: options.onFinished,
  };
  const connections = new Connections(limits.drainGraceMs);
  const unsent = openUnsentBound(options, connections);
  const http1 = { front, limits, draining: () => connections.draining, unsent };
  const http2 = createHttp2Server({ front, limits, onSession: (session) => connections.addSession(session) });
  const secure = await startSecure(options, { create: (tls) => createHttp1Server(http1, tls) as HttpsServer, limits });
  const plain = options.listen.map((address) => ({ address, server: createHttp1Server(http1) as HttpServer }));
  const isLean = options.lean !== false;
  for (const { server } of secure.servers) {
    const toHttp1 = http1Of(server);
    const front = new LeanFront({ ...http1, scheme: 'https', onAccepted: () => {}, toHttp: toHttp1 });
    server.once('close', () => front.stop());
    connections.addLeanFront(front);
    shareByAlpn(server, { http2, toHttp1: isLean ? (socket) => front.accept(socket) : toHttp1 });
  }
  const lean = isLean ? plain : [];
  const sendfile = options.backing && openSendfile(options.backing);
  for (const { server } of lean) {
    connections.addLeanFront(leanFrontOf(server, { ...http1, sendfile, onAccepted: connections.track }));
  }

  const bound = [...plain, ...secure.servers];
  for (const each of bound) {
    connections.addServer(each.server, limits.connectionsMax);
    if (!lean.includes(each)) each.server.on('connection', connections.track);
  }
  try {
    await Promise.all(bound.map(({ server, address }) => listen(server, address, options)));
  } catch (error) {
    secure.stopWatching();
    await connections.close();
    sendfile?.room?.close();
    throw error;
  }
  return {
    urls: [
      ...plain.map(({ server, address }) => urlOf('http', server, address)),
      ...secure.servers.map(({ server, address }) => urlOf('https', server, address)),
    ],
    stopAccepting: () => connections.stopAccepting(),
    drain: async (deadlineMs) => {
      secure.stopWatching();
      await connections.drain(deadlineMs);
    },
    close: async () => {
      secure.stopWatching();
      await connections.close();
      sendfile?.room?.close();
    },
    replacePolicies: (policies) => {
      front.policies = longestFirst(policies);
    },
    connections: () => connections.count,
  };
}

function openUnsentBound({ unsentBytesMax: bytesMax }: ViewersOptions, all: Connections): UnsentBound | undefined {
  return bytesMax === undefined ? undefined : UnsentBound.open({ bytesMax, connections: () => all.count });
}

interface SecureServers {
  readonly servers: readonly { readonly address: ListenAddress; readonly server: HttpsServer }[];
  readonly stopWatching: () => void;
}

async function startSecure(
  { tls, tlsListen = [], log }: ViewersOptions,
  { create, limits }: { create: (tls: object) => HttpsServer; limits: ViewerLimits },
): Promise<SecureServers> {
  if (tlsListen.length === 0) return { servers: [], stopWatching: () => {} };
  if (tls === undefined) throw new Error('an HTTPS listener needs a certificate: certFile and keyFile are missing');
  const settings = {
    ...(await loadCertificate(tls)),
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.handshakeTimeoutMs,
  };
  const servers = tlsListen.map((address) => ({ address, server: create(settings) }));
  const stopWatching = watchCertificate(tls, {
    onLoaded: (certificate) => {
      for (const { server } of servers) server.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' });
    },
    log,
  });
  return { servers, stopWatching };
}

/** What the server itself would do with a connection whose handshake is done. */
function http1Of(server: HttpsServer): (socket: Socket) => void {
  const listeners = server.listeners('secureConnection') as ((this: HttpsServer, socket: Socket) => void)[];
  return (socket) => {
    for (const listener of listeners) listener.call(server, socket);
  };
}

/** Connections that chose h2 go to the HTTP/2 server, the others to HTTP/1.1. */
function shareByAlpn(
  server: HttpsServer,
  { http2, toHttp1 }: { http2: Http2Server; toHttp1: (socket: TLSSocket) => void },
): void {
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') http2.emit('connection', socket);
    else toHttp1(socket);
  });
  // Failed handshakes are the client's affair.
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
}

/** Connections waiting to be accepted: a crowd that comes at once is not turned away. The system may allow fewer. */
const backlogMax = 4096;

async function listen(
  server: NetServer,
  { host, port }: ListenAddress,
  { reusePort = false }: Pick<ViewersOptions, 'reusePort'>,
): Promise<void> {
  server.listen({ host, port, backlog: backlogMax, reusePort });
  await once(server, 'listening');
  acceptTogether(server);
}

function urlOf(scheme: string, server: NetServer, { host }: ListenAddress): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
