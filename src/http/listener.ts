import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Cache, MapPolicy } from '../cache/types.ts';
import { hostAndPort, listening } from '../listening.ts';
import type { CertificateFiles } from './certificate.ts';
import { Connections } from './connections.ts';
import type { AccessRecord } from './exchange/access.ts';
import type { Front, ViewerLog } from './exchange/exchange.ts';
import { leanFrontOf } from './lean/lean-front.ts';
import type { ViewerLimits } from './limits.ts';
import { createHttp1Server } from './node-http/http1-server.ts';
import { createHttp2Server } from './node-http/http2-server.ts';
import { ReplyPlanner } from './reply/reply.ts';
import { longestFirst } from './request/policies.ts';
import { openSecureServers, shareByAlpn } from './secure-servers.ts';
import { acceptTogether } from './socket/accept-together.ts';
import { type FileBacking, openSendfile, type Sendfile } from './socket/file-writes.ts';
import { openThroughput } from './socket/socket-throughput.ts';
import { UnsentBound } from './socket/unsent-bound.ts';

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
  readonly limits: ViewerLimits;
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

/** A server, and where it is to listen, by which option. */
interface Bound {
  readonly server: HttpServer | HttpsServer;
  readonly address: ListenAddress;
  readonly scheme: 'http' | 'https';
  readonly option: '--listen' | '--https';
}

/** Starts serving `cache` to viewers over HTTP/1.1 and, with a certificate, HTTPS with HTTP/2. Rejects if it cannot listen. */
export async function startViewers(options: ViewersOptions): Promise<Viewers> {
  const front = frontOf(options);
  const connections = new Connections(options.limits.drainGraceMs);
  const sendfile = options.backing && openSendfile(options.backing);
  const { bound, stopWatching } = await openServers(options, { front, connections, sendfile });
  const close = async (): Promise<void> => {
    stopWatching();
    await connections.close();
    sendfile?.room?.close();
  };
  try {
    await Promise.all(bound.map((each) => listen(each, options)));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    urls: bound.map(urlOf),
    stopAccepting: () => connections.stopAccepting(),
    drain: async (deadlineMs) => {
      stopWatching();
      await connections.drain(deadlineMs);
    },
    close,
    replacePolicies: (policies) => {
      front.policies = longestFirst(policies);
    },
    connections: () => connections.count,
  };
}

/** A server for each address, whose connections are `connections`' from the start. None listens yet. */
async function openServers(
  options: ViewersOptions,
  { front, connections, sendfile }: { front: Front; connections: Connections; sendfile: Sendfile | undefined },
): Promise<{ readonly bound: readonly Bound[]; readonly stopWatching: () => void }> {
  const { limits, lean = true } = options;
  const unsent = openUnsentBound(options, connections);
  const http1 = { front, limits, draining: () => connections.draining, unsent };
  const http2 = createHttp2Server({ front, limits, onSession: (session) => connections.addSession(session) });
  const { servers: secure, stopWatching } = await openSecureServers(options, {
    create: (tls) => createHttp1Server(http1, tls) as HttpsServer,
    limits,
  });
  const plain = options.listen.map((address) => ({ address, server: createHttp1Server(http1) as HttpServer }));
  for (const { server } of plain) {
    if (lean) connections.addLeanFront(leanFrontOf(server, { ...http1, sendfile, onAccepted: connections.track }));
    else server.on('connection', connections.track);
  }
  for (const { server } of secure) {
    server.on('connection', connections.track);
    const leanFront = shareByAlpn(server, { http2, ...(lean && { lean: http1 }) });
    if (leanFront !== undefined) connections.addLeanFront(leanFront);
  }
  const bound: Bound[] = [
    ...plain.map((each) => ({ ...each, scheme: 'http', option: '--listen' }) as const),
    ...secure.map((each) => ({ ...each, scheme: 'https', option: '--https' }) as const),
  ];
  for (const { server } of bound) connections.addServer(server, limits.connectionsMax);
  return { bound, stopWatching };
}

function frontOf(options: ViewersOptions): Front {
  return {
    cache: options.cache,
    policies: longestFirst(options.policies),
    limits: options.limits,
    planner: new ReplyPlanner(),
    log: options.log,
    throughputOf: openThroughput(),
    onStarted: options.onStarted ?? (() => {}),
    onFinished: options.onFinished,
  };
}

function openUnsentBound({ unsentBytesMax: bytesMax }: ViewersOptions, all: Connections): UnsentBound | undefined {
  return bytesMax === undefined ? undefined : UnsentBound.open({ bytesMax, connections: () => all.count });
}

/** Connections waiting to be accepted: a crowd that comes at once is not turned away. The system may allow fewer. */
const backlogMax = 4096;

async function listen({ server, address, option }: Bound, { reusePort = false }: ViewersOptions): Promise<void> {
  await listening(server, { ...address, reusePort, option, backlog: backlogMax });
  acceptTogether(server);
}

function urlOf({ scheme, server, address: { host } }: Bound): string {
  const { port } = server.address() as AddressInfo;
  return `${scheme}://${hostAndPort({ host, port })}`;
}
