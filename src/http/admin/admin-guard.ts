import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../../loopback.ts';
import { type AdminReply, problem } from './admin-reply.ts';

/** Decides who may ask. */
export interface AdminGuard {
  /** The answer to a request that is refused; undefined when it may go on. */
  refuses(request: IncomingMessage): AdminReply | undefined;
}

/**
 * With a token: who has it may ask. Without one, everybody on this machine may, but no web page in a browser on it: the
 * host asked for must be a loopback name (a page that rebinds its own name to 127.0.0.1 sends that name), and requests
 * sent by pages of other sites are refused.
 */
export function createGuard({
  token,
  listen,
}: {
  readonly token?: string | undefined;
  readonly listen: { readonly host: string };
}): AdminGuard {
  if (token !== undefined) {
    const expected = digest(token);
    return { refuses: (request) => refusesToken(request, expected) };
  }
  return { refuses: (request) => refusesHost(request, listen.host) ?? refusesOtherSites(request) };
}

function refusesToken({ headers }: IncomingMessage, expected: Buffer): AdminReply | undefined {
  const given = /^Bearer +(.*)$/i.exec(headers.authorization ?? '')?.[1];
  // Digests have one length, so that the comparison takes one time.
  if (given !== undefined && timingSafeEqual(digest(given.trim()), expected)) return undefined;
  const what = headers.authorization === undefined ? 'is missing' : 'is wrong';
  return problem(401, `the token ${what}: must be sent as Authorization: Bearer TOKEN`, [
    'WWW-Authenticate',
    'Bearer realm="eddy"',
  ]);
}

function refusesHost({ headers }: IncomingMessage, listenHost: string): AdminReply | undefined {
  const host = hostOf(headers.host);
  if (host === undefined || isLoopback(host) || host.endsWith('.localhost') || host === listenHost) return undefined;
  return problem(403, 'Host is not this machine: must be localhost or a loopback address while there is no token');
}

function refusesOtherSites({ headers }: IncomingMessage): AdminReply | undefined {
  const { origin } = headers;
  const site = headers['sec-fetch-site'];
  const own = origin === undefined || URL.parse(origin)?.host === headers.host;
  // A link or a typed address is no script: what it shows stays with the reader.
  const navigates = headers['sec-fetch-mode'] === 'navigate' && origin === undefined;
  if (own && (site === undefined || site === 'same-origin' || site === 'none' || navigates)) return undefined;
  return problem(403, 'the request comes from a page of another site: must come from the console or no page at all');
}

/** Lower case, without port and brackets. */
function hostOf(field: string | undefined): string | undefined {
  return field === undefined
    ? undefined
    : /^(?:\[([^\]]*)\]|([^:]*))/.exec(field)?.slice(1).find(Boolean)?.toLowerCase();
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
