import { Average } from './average.ts';

/** Allowed to every peer, beside three round trips. */
const leastMs = 300;
/** Allowed to one that has never been asked: where a whole cell has just started, all of them are busy with that. */
const firstMs = 1_000;
const mostMs = 2_000;
const share = 0.2;
const deviations = 4;

/**
 * How long to wait for a peer's first word: what it usually takes and four deviations more, as TCP times its segments,
 * and no less than what peers take altogether. For when all of them are slow, it is the network, the machine they share,
 * or this node; asking more of them, or the origin, would only add to it.
 */
export class AnswerTimeout {
  readonly #mean = new Average(share);
  readonly #deviation = new Average(share);
  readonly #all: AnswerTimeout | undefined;

  /** `all`: that of the peers altogether. */
  constructor(all?: AnswerTimeout) {
    this.#all = all;
  }

  heard(tookMs: number): void {
    this.#deviation.add(Math.abs(tookMs - (this.#mean.value ?? tookMs)));
    this.#mean.add(tookMs);
    this.#all?.heard(tookMs);
  }

  /** It did not answer in time: perhaps it needs longer now. */
  missed(allowedMs: number): void {
    this.heard(allowedMs);
  }

  /** `rttMs`: what a ping takes. */
  allowedMs(rttMs: number): number {
    const usualMs = Math.max(this.usualMs ?? firstMs, this.#all?.usualMs ?? 0);
    return Math.min(mostMs + 3 * rttMs, Math.max(leastMs + 3 * rttMs, usualMs));
  }

  /** How many times more than the least is allowed: other times to wait grow alike. */
  slack(rttMs: number): number {
    return this.usualMs === undefined ? 1 : this.allowedMs(rttMs) / (leastMs + 3 * rttMs);
  }

  /** Undefined before anything was heard. */
  get usualMs(): number | undefined {
    return this.#mean.value === undefined ? undefined : this.#mean.value + deviations * (this.#deviation.value ?? 0);
  }
}

/** A timer that fires this late was held up by this very process: what came meanwhile is still to be read. */
const stalledMs = 15;
const graceMs = 40;
const gracesMax = 10;

/** Calls `late` after that time, and not before what had come by then was read. Returns what stops it. */
export function afterOwnStalls(waitMs: number, late: () => void): () => void {
  let graces = 0;
  let dueMs = performance.now() + waitMs;
  let timer = setTimeout(fire, waitMs);
  function fire(): void {
    const stalled = performance.now() - dueMs > stalledMs;
    if (!stalled || graces++ >= gracesMax) return void setImmediate(late);
    dueMs = performance.now() + graceMs;
    timer = setTimeout(fire, graceMs);
  }
  return () => clearTimeout(timer);
}
