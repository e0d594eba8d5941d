import { setTimeout as sleep } from 'node:timers/promises';
import type { Supplier, Supply, SupplyOptions, SupplyRequest } from '../cache/supply.ts';
import { EddyError } from '../errors.ts';
import { Fields } from '../fields.ts';
import { conditionNames } from '../semantics/condition-names.ts';
import { endToEnd } from '../semantics/hop-by-hop.ts';
import type { Clock } from './attempt-plan.ts';
import { type AttemptOutcome, attempt, type OriginRequest } from './attempts.ts';
import { freeChunk } from './chunk-memory.ts';
import { originClosed } from './failure.ts';
import type { HealthReport } from './health.ts';
import { MappedOrigin } from './mapped-origin.ts';
import type { OriginMap } from './origin-map.ts';
import { ReadTurn } from './read-turn.ts';
import { askFollowing, type Followed, type FollowOptions } from './redirect.ts';
import { referencesAtEdge } from './references.ts';
import { ResumedBody, resumablePart } from './resume.ts';

/** Health of one upstream, as it is shown. */
export interface OriginHealth extends HealthReport {
  readonly map: string;
  /** Scheme, host, port and base path. */
  readonly url: string;
}

/** What is logged: changes of health and bodies that are continued. */
interface OriginLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
}

export interface OriginSupplierOptions {
  readonly maps: readonly OriginMap[];
  readonly log?: OriginLog;
  /** Once for each request sent or tried to send to an upstream. */
  readonly onAttempt?: (outcome: AttemptOutcome) => void;
  /** Body bytes as they arrive. */
  readonly onBytes?: (bytes: number) => void;
  /** When an upstream goes down or comes back. */
  readonly onHealth?: (health: OriginHealth) => void;
  /** Default: the real ones. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

/**
 * Supplies bytes from the configured origins: with failover, retries, redirects to configured hosts, and bodies that are
 * resumed where they break off. Asks nothing but what the maps name.
 */
export class OriginSupplier implements Supplier {
  readonly name = 'origin';
  readonly #options: OriginSupplierOptions;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #turn = new ReadTurn();
  readonly #maps: ReadonlyMap<string, MappedOrigin>;
  #closed = false;

  /** @throws EddyError for a map that cannot be: its name, the member, the value and what is right */
  constructor(options: OriginSupplierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    const { nowMs } = this.#clock;
    const onHealth = (health: OriginHealth) => this.#reportHealth(health);
    const maps = options.maps.map((map) => new MappedOrigin(map, { nowMs, onHealth }));
    this.#maps = new Map(maps.map((map) => [map.settings.name, map]));
  }

  async supply(request: SupplyRequest, options: SupplyOptions): Promise<Supply | undefined> {
    const map = this.#maps.get(request.map);
    if (map === undefined) return undefined;
    if (this.#closed) throw originClosed();
    const route = map.route(request.target);
    const sent = originRequest(request);
    const release = await map.budget.acquire(options.signal);
    const follow = this.#followOptions(map, options);
    try {
      const followed = await askFollowing(route, sent, follow);
      const body = this.#body(followed, { ...follow, release });
      const { answer, route: asked } = followed;
      const fields = referencesAtEdge(answer.head.fields, {
        asked: () => answer.upstream.origin + asked.pathAt(answer.upstream),
        target: request.target,
        maps: this.#options.maps,
      });
      return { source: 'origin', ...answer.head, fields, body, onTaken: freeChunk };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Health of every configured upstream, by map in failover order. */
  health(): OriginHealth[] {
    return [...this.#maps.values()].flatMap((map) => map.health());
  }

  /** Ends what is under way with EddyError draining and closes every connection. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#maps.values()].map((map) => map.close()));
  }

  /** The body as the reader gets it; gives the place in the budget back when nothing more is asked of the origin. */
  #body(followed: Followed, options: FollowOptions & { release: () => void }): AsyncIterable<Buffer> {
    const { answer, route, request } = followed;
    const { release, signal } = options;
    const part = request.method === 'GET' ? resumablePart(answer.head) : undefined;
    void answer.body.settled.then((error) => {
      if (error === undefined || error.side !== 'upstream' || part === undefined) release();
    });
    if (part === undefined) return answer.body;
    signal.addEventListener('abort', release, { once: true });
    const onFinished = () => {
      signal.removeEventListener('abort', release);
      release();
    };
    const reopen = (fields: readonly string[]) => {
      this.#options.log?.info({ origin: answer.upstream.origin, range: fields[1] }, 'continuing a body that broke off');
      const all = new Fields([...request.fields.without(conditionNames).raw, ...fields]);
      return attempt(route, { ...request, fields: all }, options);
    };
    return new ResumedBody(answer.body, { part, reopen, onFinished, signal, clock: this.#clock, random: this.#random });
  }

  #followOptions(map: MappedOrigin, options: SupplyOptions): FollowOptions {
    const { onAttempt, onBytes } = this.#options;
    return {
      settings: map.settings,
      guard: (location) => map.redirectAllowed(location),
      clock: this.#clock,
      random: this.#random,
      signal: options.signal,
      onInformational: options.onInformational,
      onAttempt,
      onBytes,
      turn: this.#turn,
    };
  }

  #reportHealth(health: OriginHealth): void {
    const { state, ...about } = health;
    if (state === 'down') this.#options.log?.warn(about, 'upstream is down');
    else this.#options.log?.info(about, 'upstream is up again');
    this.#options.onHealth?.(health);
  }
}

const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/** Fields the connection to the upstream gets of its own, lower case. Expect: there is nobody to wait for a 100. */
const ownFields: ReadonlySet<string> = new Set(['host', 'expect']);

const withoutContent: ReadonlySet<string> = new Set([...ownFields, 'content-length']);

function originRequest(request: SupplyRequest): OriginRequest {
  const { method, fields, body } = request;
  if (method === 'CONNECT') {
    throw new EddyError('bad-request', 'CONNECT cannot be passed to an origin', { side: 'downstream' });
  }
  // Transfer-Encoding overrides Content-Length (RFC 9112 section 6.3).
  const dropped = body === undefined || fields.has('Transfer-Encoding') ? withoutContent : ownFields;
  return { method, fields: endToEnd(fields, dropped), body };
}
