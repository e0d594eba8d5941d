/** Within that time a part of the body must come: where many processes share a processor, each gets its turn. */
const spanMs = 1_000;
/** How large a part: a quarter of what the peer did lately in a span, within these bounds. */
const floorBytesMin = 32 * 1024;
const floorBytesMax = 128 * 1024;
const floorShare = 0.25;
/** A body of known length is not waited for when it comes slower than this and would take longer than that. */
const slowBytesPerSecond = 128 * 1024;
const slowAfterMs = 1_000;
const restMsMax = 2_000;
/** How long a peer's word that it is itself waiting for the origin counts. */
const waitingMs = 600;

interface ProgressOptions {
  readonly nowMs: number;
  readonly bytesPerSecond: number | undefined;
  readonly silenceMsMax: number;
  readonly slack?: number;
  readonly patient?: boolean;
}

/**
 * Whether a body still comes fast enough to stay with its peer. A floor of progress rather than a time limit, derived
 * from what that peer did lately; time in which the peer waits for the origin, or we for our own reader, is not counted.
 */
export class ProgressFloor {
  readonly #floorBytes: number;
  readonly #silenceMsMax: number;
  readonly #slack: number;
  readonly #patient: boolean;
  #received = 0;
  #spanStartMs: number;
  #spanBytes = 0;
  #lastByteMs: number;
  #excusedUntilMs = 0;
  /** Since when the pace is judged, and what had come by then. */
  #paceStartMs: number;
  #paceStartBytes = 0;
  #length: number | undefined;

  /**
   * `bytesPerSecond`: lately; undefined for a new peer. `silenceMsMax`: bound on all excuses together. `slack`: how many
   * times longer than usual everything may take. `patient`: nobody else would have a body of known length sooner.
   */
  constructor(options: ProgressOptions) {
    this.#slack = options.slack ?? 1;
    this.#patient = options.patient ?? false;
    const usual = ((options.bytesPerSecond ?? 0) * spanMs * floorShare) / 1000;
    this.#floorBytes = Math.min(floorBytesMax, Math.max(floorBytesMin, usual));
    this.#silenceMsMax = options.silenceMsMax;
    this.#spanStartMs = options.nowMs;
    this.#lastByteMs = options.nowMs;
    this.#paceStartMs = options.nowMs;
  }

  /** The length of the body. */
  expect(length: number): void {
    this.#length = length;
  }

  get received(): number {
    return this.#received;
  }

  bytes(count: number, nowMs: number): void {
    this.#received += count;
    this.#spanBytes += count;
    this.#lastByteMs = nowMs;
    if (this.#spanBytes >= this.#floorBytes) this.#beginSpan(nowMs);
  }

  /** The peer says that it has sent all it has, up to `position`, and waits for more. */
  waiting(position: number, nowMs: number): void {
    if (position <= this.#received) this.#excusedUntilMs = nowMs + waitingMs * this.#slack;
  }

  /** The reader took its time: the span starts anew. */
  held(nowMs: number): void {
    this.#beginSpan(nowMs);
    this.#lastByteMs = nowMs;
    this.#paceStartMs = nowMs;
    this.#paceStartBytes = this.#received;
  }

  /** This process was held up for that long: nothing is to be expected of that time, and of the rest as much as ever. */
  stalled(ms: number): void {
    this.#spanStartMs += ms;
    this.#lastByteMs += ms;
    this.#paceStartMs += ms;
  }

  /** Called often, a few times in a span. */
  isLate(nowMs: number): boolean {
    if (nowMs - this.#lastByteMs > this.#silenceMsMax || this.#isSlow(nowMs)) return true;
    if (nowMs - this.#spanStartMs < spanMs * this.#slack) return false;
    // What is all there only has to be ended by the peer, for which nobody waits.
    if (this.#received !== this.#length && nowMs >= this.#excusedUntilMs) return true;
    this.#beginSpan(nowMs);
    return false;
  }

  #beginSpan(nowMs: number): void {
    this.#spanStartMs = nowMs;
    this.#spanBytes = 0;
  }

  #isSlow(nowMs: number): boolean {
    const tookMs = nowMs - this.#paceStartMs;
    if (this.#length === undefined || this.#patient || tookMs < slowAfterMs * this.#slack) return false;
    const bytesPerMs = (this.#received - this.#paceStartBytes) / tookMs;
    const restMs = (this.#length - this.#received) / bytesPerMs;
    return bytesPerMs * 1_000 < slowBytesPerSecond && restMs > restMsMax;
  }
}
