import { aborted } from './failure.ts';
import { originBounds } from './origin-map.ts';
import type { Upstream } from './upstream.ts';

/** The time, as the supplier sees it. */
export interface Clock {
  nowMs(): number;
  /** Resolves after that time; rejects when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Where a further attempt may go. */
export type Again = 'anywhere' | 'elsewhere' | 'nowhere';

interface PlanOptions {
  readonly attemptsMax: number;
  /** Uniform over 0 .. 1. */
  readonly random: () => number;
}

/** The next attempt. */
export interface Step {
  readonly upstream: Upstream;
  readonly waitMs: number;
}

/** Which upstream is asked next, and after what wait. */
export class AttemptPlan {
  readonly #upstreams: readonly Upstream[];
  readonly #options: PlanOptions;
  readonly #tries = new Map<Upstream, number>();
  readonly #excluded = new Set<Upstream>();
  #last: Upstream | undefined;
  #count = 0;

  constructor(upstreams: readonly Upstream[], options: PlanOptions) {
    this.#upstreams = upstreams;
    this.#options = options;
  }

  first(): Step {
    return this.#take(this.#pick() ?? (this.#upstreams[0] as Upstream), 0);
  }

  /** @param askedMs what Retry-After of the last answer asks for */
  next(again: Again, askedMs: number): Step | undefined {
    const last = this.#last;
    if (again === 'nowhere' || this.#count >= this.#options.attemptsMax || last === undefined) return undefined;
    if (again === 'elsewhere' || askedMs > originBounds.retryAfterMsMax) this.#excluded.add(last);
    const upstream = this.#pick();
    if (upstream === undefined) return undefined;
    const tries = this.#triesOf(upstream);
    return this.#take(upstream, tries === 0 ? 0 : Math.max(askedMs, backoffMs(tries, this.#options.random)));
  }

  /** The available upstream asked least often, the first of these; when all are down, each of them once. */
  #pick(): Upstream | undefined {
    const open = this.#upstreams.filter((upstream) => !this.#excluded.has(upstream));
    const available = open.filter((upstream) => upstream.health.available);
    const candidates = available.length > 0 ? available : open.filter((upstream) => this.#triesOf(upstream) === 0);
    return candidates.reduce<Upstream | undefined>(
      (best, each) => (best === undefined || this.#triesOf(each) < this.#triesOf(best) ? each : best),
      undefined,
    );
  }

  #take(upstream: Upstream, waitMs: number): Step {
    this.#count++;
    this.#last = upstream;
    this.#tries.set(upstream, this.#triesOf(upstream) + 1);
    return { upstream, waitMs };
  }

  #triesOf(upstream: Upstream): number {
    return this.#tries.get(upstream) ?? 0;
  }
}

/** Exponential, with half of it jittered. @param round 1 for the first repetition */
export function backoffMs(round: number, random: () => number): number {
  const ms = Math.min(originBounds.backoffMs * 2 ** (round - 1), originBounds.backoffMsMax);
  return ms * (0.5 + random() / 2);
}

/** Waits by the clock. @throws EddyError aborted */
export async function wait(ms: number, options: { clock: Clock; signal: AbortSignal }): Promise<void> {
  const { clock, signal } = options;
  try {
    await clock.sleep(ms, signal);
  } catch (cause) {
    throw signal.aborted ? aborted(signal) : cause;
  }
}
