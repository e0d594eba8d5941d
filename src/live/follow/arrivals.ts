import type { Manifest } from '../manifest.ts';
import { growth } from './growth.ts';

/** How long before its time the next version is waited for, and how long after: shares of a segment, and at most. */
const beforeShare = 1 / 6;
const beforeMsMax = 300;
const afterShare = 1 / 4;
const afterMsMax = 500;
/** By how much the time between two versions may differ from the media that were added. */
const unsteadyShare = 1 / 4;

/** When versions of a playlist came here, and when the next one is due. */
export class Arrivals {
  #newestMs: number;
  #steady = false;

  constructor(nowMs: number) {
    this.#newestMs = nowMs;
  }

  /** When the newest media were first seen. */
  get newestMs(): number {
    return this.#newestMs;
  }

  /** New media came. */
  came(after: Manifest, { before, nowMs }: { before: Manifest; nowMs: number }): void {
    const addedMs = growth(before, after).seconds * 1000;
    this.#steady = Math.abs(nowMs - this.#newestMs - addedMs) <= addedMs * unsteadyShare;
    this.#newestMs = nowMs;
  }

  /**
   * For how many milliseconds a request for the newest version is better held, since the next one is about to come: a player
   * that gets the old one asks again half a target duration or more later, and stays that late. 0: answer now.
   */
  worthHoldingMs({ kind, live, segmentSeconds }: Manifest, nowMs: number): number {
    const lengthMs = (segmentSeconds?.at(-1) ?? 0) * 1000;
    if (!this.#steady || kind !== 'hls' || !live || lengthMs === 0) return 0;
    const sinceMs = nowMs - this.#newestMs;
    const fromMs = lengthMs - Math.min(beforeMsMax, lengthMs * beforeShare);
    const toMs = lengthMs + Math.min(afterMsMax, lengthMs * afterShare);
    return sinceMs < fromMs || sinceMs >= toMs ? 0 : toMs - sinceMs;
  }
}
