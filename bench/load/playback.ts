import { epochMs, type Got } from './keep-alive.ts';
import type { LiveNotes } from './live-viewer.ts';

/** The buffer of one rendition of one viewer: what is in it, and what plays. */
export class Playback {
  /** Date up to which media are there. */
  bufferedMs = 0;
  readonly #notes: LiveNotes;
  readonly #fromMs: number;
  /** How far the picture is behind the wall clock; undefined: it has not begun. */
  #offsetMs: number | undefined;

  constructor(notes: LiveNotes, fromMs: number) {
    this.#notes = notes;
    this.#fromMs = fromMs;
  }

  /** Media up to that date came. `holdBackMs`: how far from the edge the viewer plays. */
  arrived(got: Got, { endMs, holdBackMs }: { endMs: number; holdBackMs: number }): void {
    const notes = this.#notes;
    if (this.#offsetMs !== undefined && got.doneMs - this.#offsetMs > this.bufferedMs) {
      notes.stalls++;
      // It goes on from where it stopped.
      this.#offsetMs = got.doneMs - this.bufferedMs;
    }
    const startMs = this.bufferedMs;
    this.bufferedMs = Math.max(this.bufferedMs, endMs);
    if (this.#offsetMs === undefined && (endMs >= epochMs() - holdBackMs || endMs - startMs >= holdBackMs)) {
      this.#offsetMs = Math.max(holdBackMs, got.doneMs - this.bufferedMs + holdBackMs / 2);
      notes.started++;
    }
    if (got.doneMs < this.#fromMs) return;
    notes.deliveryMs.push(got.doneMs - endMs);
    if (this.#offsetMs !== undefined) notes.latencyMs.push(this.#offsetMs);
  }
}

/** Counts what went wrong, at most twenty kinds of it. */
export function noteError({ errors }: LiveNotes, what: string): void {
  if (errors.size < 20 || errors.has(what)) errors.set(what, (errors.get(what) ?? 0) + 1);
}
