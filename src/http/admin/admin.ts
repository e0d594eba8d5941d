import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Purge } from '../../cache/types.ts';
import { hostAndPort, listening } from '../../listening.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import { loadConsole } from './admin-console.ts';
import { type AdminGuard, createGuard } from './admin-guard.ts';
import { readPurge } from './admin-purge.ts';
import { type AdminReply, jsonReply, problem, sendReply } from './admin-reply.ts';

export interface AdminOptions {
  /** Port 0 for any. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Asked for as `Authorization: Bearer`. Without one only requests to a loopback name are answered. */
  readonly token?: string | undefined;
  readonly metrics: Pick<Metrics, 'contentType' | 'text' | 'purges' | 'purgedResponses'>;
  readonly status: () => object | Promise<object>;
  readonly peers: () => object;
  readonly streams: () => object;
  readonly readiness: () => Readiness;
  /** Resolves to how many stored responses were dropped. */
  readonly purge: (which: Purge, signal: AbortSignal) => Promise<number>;
  readonly log: Pick<Log, 'info' | 'error'>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not; short phrases. */
  readonly reasons: readonly string[];
}

export interface Admin {
  readonly url: string;
  /** Ends when answers under way are out, or after a second. */
  close(): Promise<void>;
}

interface Route {
  readonly method: 'GET' | 'POST';
  /** Answered without a token: tells nothing but whether the node is there. */
  readonly open: boolean;
  answer(request: IncomingMessage): AdminReply | Promise<AdminReply>;
}

const purgeTimeoutMs = 60_000;
const closeTimeoutMs = 1_000;

/** Starts the listener of operators: health, metrics, API and console. Rejects if it cannot listen. */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const guard = createGuard(options);
  const routes = routesOf(options, guard);
  for (const [path, file] of await loadConsole(new URL('../../console/', import.meta.url))) {
    routes.set(path, { method: 'GET', open: true, answer: () => file });
  }
  const server = createServer(
    { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 },
    (request, response) => void serve(request, response, { routes, guard, log: options.log }),
  );
  server.maxConnections = 256;
  await listening(server, { option: '--admin', ...options.listen });
  return { url: urlOf(server, options.listen.host), close: () => close(server) };
}

function routesOf(options: AdminOptions, guard: AdminGuard): Map<string, Route> {
  const get = (answer: Route['answer'], open = false): Route => ({ method: 'GET', open, answer });
  return new Map([
    ['/healthz', get(() => jsonReply(200, { alive: true }), true)],
    ['/readyz', get((request) => readyReply(options.readiness(), guard.refuses(request) === undefined), true)],
    ['/metrics', get(() => metricsReply(options.metrics))],
    ['/api/status', get(async () => jsonReply(200, await options.status()))],
    ['/api/peers', get(() => jsonReply(200, options.peers()))],
    ['/api/streams', get(() => jsonReply(200, options.streams()))],
    ['/api/purge', { method: 'POST', open: false, answer: (request) => purgeReply(request, options) }],
  ]);
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { routes, guard, log }: { routes: ReadonlyMap<string, Route>; guard: AdminGuard; log: AdminOptions['log'] },
): Promise<void> {
  response.on('error', () => {});
  try {
    const reply = await replyTo(request, { routes, guard });
    // What is left of the content is not read: the connection cannot be used again.
    const close = !request.complete;
    sendReply(response, reply, { head: request.method === 'HEAD', close });
  } catch (error) {
    // A client that breaks off is no event.
    if (request.socket.destroyed) return;
    log.error({ err: error, target: request.url }, 'an admin request failed');
    if (response.headersSent) response.destroy();
    else sendReply(response, problem(500, 'internal error: see the log'), { head: false, close: true });
  }
}

async function replyTo(
  request: IncomingMessage,
  { routes, guard }: { routes: ReadonlyMap<string, Route>; guard: AdminGuard },
): Promise<AdminReply> {
  const path = URL.parse(request.url ?? '', 'http://admin')?.pathname;
  const route = path === undefined ? undefined : routes.get(path);
  if (route === undefined) return problem(404, `${path ?? 'this target'} is not here: see /api/status, /metrics or /`);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method !== route.method) {
    const allowed = route.method === 'GET' ? 'GET, HEAD' : route.method;
    return problem(405, `method is ${request.method}: must be ${allowed}`, ['Allow', allowed]);
  }
  return (route.open ? undefined : guard.refuses(request)) ?? route.answer(request);
}

/** The reasons tell about the node's inside: only to those who may see the rest. */
function readyReply({ ready, reasons }: Readiness, detailed: boolean): AdminReply {
  return jsonReply(ready ? 200 : 503, { ready, ...(detailed && { reasons }) });
}

async function metricsReply(metrics: AdminOptions['metrics']): Promise<AdminReply> {
  return { status: 200, fields: ['Content-Type', metrics.contentType], content: Buffer.from(await metrics.text()) };
}

async function purgeReply(request: IncomingMessage, { purge, metrics, log }: AdminOptions): Promise<AdminReply> {
  const read = await readPurge(request);
  if ('problem' in read) return read.problem;
  const { which } = read;
  // Not bound to the connection: a purge half done because its caller was impatient is worse than one done unseen.
  const purged = await purge(which, AbortSignal.timeout(purgeTimeoutMs));
  metrics.purges[kindOf(which)].add(1);
  metrics.purgedResponses.add(purged);
  log.info({ which, purged }, 'purged');
  return jsonReply(200, { purged });
}

function kindOf(which: Purge): 'url' | 'prefix' | 'tag' | 'all' {
  if (which === 'all') return 'all';
  if ('url' in which) return 'url';
  return 'prefix' in which ? 'prefix' : 'tag';
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), closeTimeoutMs);
  await closed;
  clearTimeout(timer);
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${hostAndPort({ host, port })}`;
}
