/** Progress is judged over this long. */
const spanMs = 400;
/** Least progress in a span: a quarter of what the peer did lately, within these bounds. */
const floorBytesMin = 16 * 1024;
const floorBytesMax = 128 * 1024;
const floorShare = 0.25;
/** How long a peer's word that it is itself waiting for the origin counts. */
const waitingMs = 600;

/**
 * Whether a body still comes fast enough to stay with its peer. A floor of progress rather than a time limit, derived
 * from what that peer did lately; time in which the peer waits for the origin, or we for our own reader, is not counted.
 */
export class ProgressFloor {
  readonly #floorBytes: number;
  readonly #silenceMsMax: number;
  #received = 0;
  #spanStartMs: number;
  #spanBytes = 0;
  #lastByteMs: number;
  #excusedUntilMs = 0;

  /** `bytesPerSecond`: lately; undefined for a new peer. `silenceMsMax`: bound on all excuses together. */
  constructor(options: { nowMs: number; bytesPerSecond: number | undefined; silenceMsMax: number }) {
    const usual = ((options.bytesPerSecond ?? 0) * spanMs * floorShare) / 1000;
    this.#floorBytes = Math.min(floorBytesMax, Math.max(floorBytesMin, usual));
    this.#silenceMsMax = options.silenceMsMax;
    this.#spanStartMs = options.nowMs;
    this.#lastByteMs = options.nowMs;
  }

  get received(): number {
    return this.#received;
  }

  bytes(count: number, nowMs: number): void {
    this.#received += count;
    this.#spanBytes += count;
    this.#lastByteMs = nowMs;
  }

  /** The peer says that it has sent all it has, up to `position`, and waits for more. */
  waiting(position: number, nowMs: number): void {
    if (position <= this.#received) this.#excusedUntilMs = nowMs + waitingMs;
  }

  /** The reader took its time: the span starts anew. */
  held(nowMs: number): void {
    this.#spanStartMs = nowMs;
    this.#spanBytes = 0;
    this.#lastByteMs = nowMs;
  }

  /** Called often, a few times in a span. */
  isLate(nowMs: number): boolean {
    if (nowMs - this.#lastByteMs > this.#silenceMsMax) return true;
    if (nowMs - this.#spanStartMs < spanMs) return false;
    const late = this.#spanBytes < this.#floorBytes && nowMs >= this.#excusedUntilMs;
    this.#spanStartMs = nowMs;
    this.#spanBytes = 0;
    return late;
  }
}
