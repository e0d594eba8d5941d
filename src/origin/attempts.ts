import type { EddyError } from '../errors.ts';
import type { Fields } from '../fields.ts';
import { type Again, AttemptPlan, type Clock, type Step, wait } from './attempt-plan.ts';
import type { OriginSettings } from './origin-map.ts';
import type { ReadTurn } from './read-turn.ts';
import { requestBody } from './request-body.ts';
import type { ResponseHead } from './response-head.ts';
import type { Upstream } from './upstream.ts';
import { UpstreamExchange } from './upstream-exchange.ts';

/** How one upstream request went: `unavailable` is an answer with 502, 503 or 504. */
export type AttemptOutcome = 'answered' | 'unavailable' | 'refused' | 'timeout' | 'broken' | 'aborted';

/** Upstreams that can answer the same request, in failover order, and the request target at each. */
export interface Route {
  readonly upstreams: readonly Upstream[];
  readonly pathAt: (upstream: Upstream) => string;
}

export interface OriginRequest {
  readonly method: string;
  /** End-to-end fields without Host. */
  readonly fields: Fields;
  readonly body?: AsyncIterable<Uint8Array> | undefined;
}

export interface AttemptOptions {
  readonly settings: OriginSettings;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Uniform over 0 .. 1, for jitter. */
  readonly random: () => number;
  readonly onInformational?: ((status: number, fields: Fields) => void) | undefined;
  readonly onBytes?: ((bytes: number) => void) | undefined;
  readonly turn?: ReadTurn | undefined;
  readonly onAttempt?: ((outcome: AttemptOutcome) => void) | undefined;
}

export interface OriginAnswer {
  readonly head: ResponseHead;
  readonly body: UpstreamExchange;
  readonly upstream: Upstream;
}

/**
 * Asks the upstreams of a route until one answers, in failover order and within `attemptsMax`. The last answer is
 * returned as it is, whatever its status.
 * @throws EddyError of the last attempt
 */
export async function attempt(route: Route, request: OriginRequest, options: AttemptOptions): Promise<OriginAnswer> {
  const plan = new AttemptPlan(route.upstreams, { attemptsMax: options.settings.attemptsMax, random: options.random });
  let step = plan.first();
  for (;;) {
    const { upstream } = step;
    const exchange = openExchange(upstream, options);
    let next: Step | undefined;
    try {
      const head = await send(exchange, { route, request, upstream });
      const unavailable = unavailableStatuses.has(head.status);
      report(upstream, unavailable ? `${upstream.origin} answered ${head.status}` : undefined);
      options.onAttempt?.(unavailable ? 'unavailable' : 'answered');
      next = unavailable && repeatable(request) ? plan.next(...afterAnswer(head, options.clock)) : undefined;
      if (next === undefined) return { head, body: watched(exchange, upstream), upstream };
      exchange.discard();
    } catch (cause) {
      const error = cause as EddyError;
      report(upstream, error);
      options.onAttempt?.(outcomeOf(error));
      next = plan.next(afterFailure(error, { exchange, request }), 0);
      if (next === undefined) throw error;
    }
    if (next.waitMs > 0) await wait(next.waitMs, options);
    step = next;
  }
}

const unavailableStatuses = new Set([502, 503, 504]);

const idempotentMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

function openExchange(upstream: Upstream, options: AttemptOptions): UpstreamExchange {
  const { settings, signal, onInformational, onBytes, turn } = options;
  const { connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs } = settings;
  const timeouts = { connectTimeoutMs, firstByteTimeoutMs, idleTimeoutMs };
  return new UpstreamExchange({ ...timeouts, origin: upstream.origin, signal, onInformational, onBytes, turn });
}

function send(
  exchange: UpstreamExchange,
  about: { route: Route; request: OriginRequest; upstream: Upstream },
): Promise<ResponseHead> {
  const { request, upstream } = about;
  const { method, body } = request;
  upstream.health.begin();
  return exchange.start(upstream.pool, {
    method,
    path: about.route.pathAt(upstream),
    fields: ['Host', upstream.hostField, ...withAdded(request, upstream)],
    body: body === undefined ? null : requestBody(body),
  });
}

/** The request's fields, those of the same name replaced by the configured ones. */
function withAdded(request: OriginRequest, { fieldsAdded }: Upstream): readonly string[] {
  // TRACE sends back what it got: credentials would reach the viewer (RFC 9110 section 9.3.8).
  if (fieldsAdded.length === 0 || request.method === 'TRACE') return request.fields.raw;
  const names = fieldsAdded.filter((_, i) => i % 2 === 0);
  return [...request.fields.without(names).raw, ...fieldsAdded];
}

function repeatable(request: OriginRequest): boolean {
  return request.body === undefined && idempotentMethods.has(request.method);
}

/** An origin that answers is not pressed: another upstream is asked, the same one only when it names a time itself. */
function afterAnswer(head: ResponseHead, clock: Clock): [again: Again, askedMs: number] {
  const asked = head.fields.get('Retry-After') !== undefined;
  return [asked ? 'anywhere' : 'elsewhere', retryAfterMs(head, clock)];
}

function afterFailure(error: EddyError, about: { exchange: UpstreamExchange; request: OriginRequest }): Again {
  const { exchange, request } = about;
  if (error.side !== 'upstream') return 'nowhere';
  // Nothing of it has left this node, so it cannot have had any effect.
  if (!exchange.sent) return 'anywhere';
  if (!repeatable(request)) return 'nowhere';
  // An upstream that hangs or that talks nonsense is not asked twice.
  return error.code === 'origin-timeout' || exchange.responding ? 'elsewhere' : 'anywhere';
}

/** A body that breaks off speaks against its upstream too. */
function watched(exchange: UpstreamExchange, upstream: Upstream): UpstreamExchange {
  void exchange.settled.then((error) => {
    if (error?.side === 'upstream') upstream.health.failed(error);
  });
  return exchange;
}

function report({ health }: Upstream, trouble: EddyError | string | undefined): void {
  if (trouble === undefined) health.succeeded();
  else if (typeof trouble === 'string' || trouble.side === 'upstream') health.failed(trouble);
  else health.abandoned();
}

function outcomeOf(error: EddyError): AttemptOutcome {
  if (error.code === 'origin-refused') return 'refused';
  if (error.code === 'origin-timeout') return 'timeout';
  return error.code === 'origin-broken' ? 'broken' : 'aborted';
}

/** Retry-After as a wait (RFC 9110 section 10.2.3), 0 without one. */
function retryAfterMs(head: ResponseHead, clock: Clock): number {
  const value = head.fields.get('Retry-After');
  if (value === undefined) return 0;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - clock.nowMs()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) : 0;
}
