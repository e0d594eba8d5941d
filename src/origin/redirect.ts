import { type AttemptOptions, attempt, type OriginAnswer, type OriginRequest, type Route } from './attempts.ts';
import { originBounds } from './origin-map.ts';
import type { Upstream } from './upstream.ts';

/** Says where a redirect may lead: undefined for anywhere that the configuration does not name. */
type RedirectGuard = (location: URL) => { upstream: Upstream; trusted: boolean } | undefined;

export interface FollowOptions extends AttemptOptions {
  readonly guard: RedirectGuard;
}

/** The answer and how it was come by: what a request for the rest of its body has to repeat. */
export interface Followed {
  readonly answer: OriginAnswer;
  readonly route: Route;
  readonly request: OriginRequest;
}

/**
 * Asks a route, and follows redirects of GET and HEAD (RFC 9110 section 15.4) as far as the guard lets them. Any other
 * redirect is the answer.
 * @throws EddyError
 */
export async function askFollowing(route: Route, request: OriginRequest, options: FollowOptions): Promise<Followed> {
  let followed: Followed = { answer: await attempt(route, request, options), route, request };
  for (let redirects = 0; redirects < originBounds.redirectsMax; redirects++) {
    const location = redirectLocation(followed);
    const allowed = location === undefined ? undefined : options.guard(location);
    if (location === undefined || allowed === undefined) return followed;
    followed.answer.body.discard();
    const onward: Route = { upstreams: [allowed.upstream], pathAt: () => location.pathname + location.search };
    const again = allowed.trusted ? followed.request : withoutCredentials(followed.request);
    followed = { answer: await attempt(onward, again, options), route: onward, request: again };
  }
  return followed;
}

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

const credentialNames = ['authorization', 'cookie'];

function redirectLocation({ answer, route, request }: Followed): URL | undefined {
  const { head, upstream } = answer;
  if (!redirectStatuses.has(head.status) || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined;
  const [location, ...others] = head.fields.all('Location');
  if (location === undefined || others.length > 0) return undefined;
  // Joined as text: given as a relative reference, a path such as //host/ would name another host.
  const base = URL.parse(upstream.origin + route.pathAt(upstream));
  const url = base === null ? null : URL.parse(location, base);
  const web = url !== null && (url.protocol === 'http:' || url.protocol === 'https:');
  return web && url.username + url.password === '' ? url : undefined;
}

/** The viewer's credentials were meant for the configured origin alone. */
function withoutCredentials(request: OriginRequest): OriginRequest {
  return { ...request, fields: request.fields.without(credentialNames) };
}
