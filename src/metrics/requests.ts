import { BucketCounts, type BucketReport, latencyBucketsSeconds, releaseBucketsSeconds } from './histogram.ts';
import { type Row, Tally } from './tally.ts';

/** One finished request of a viewer. */
interface FinishedRequest {
  readonly method: string;
  /** 0 when nothing was sent. */
  readonly status: number;
  readonly hit: boolean;
  /** Cache-Status `fwd` (RFC 9211 section 2.2). */
  readonly fwd: string | undefined;
  /** Of content, given to the transport. */
  readonly bytes: number;
  readonly durationMs: number;
  readonly firstByteMs: number | undefined;
  /** Since what the request was held for became known; undefined: it was not held, or is not known. */
  readonly releaseMs?: number | undefined;
}

/** Sums over all requests so far. */
interface RequestTotals {
  readonly total: number;
  readonly hits: number;
  readonly inFlight: number;
  readonly bytes: number;
}

/** Where observed times go, in seconds. */
interface Histograms {
  readonly duration: Times;
  readonly firstByte: Times;
  readonly release: Times;
}

interface Times {
  observe(seconds: number): void;
  take(): BucketReport;
  add(report: BucketReport): void;
}

/** What another thread counted since it was asked last. */
export interface RequestReport {
  /** By status, method and fwd as one number. */
  readonly counts: readonly (readonly [key: number, count: number])[];
  readonly started: number;
  readonly ended: number;
  readonly hits: number;
  readonly bytes: number;
  readonly duration: BucketReport;
  readonly firstByte: BucketReport;
  readonly release: BucketReport;
}

const methods = ['GET', 'HEAD', 'other'] as const;
const forwards = ['none', 'method', 'vary-miss', 'miss', 'request', 'stale', 'partial'] as const;

/** Counts the requests of viewers under labels whose values are bounded, whatever viewers send. */
export class RequestCounts {
  readonly #histograms: Histograms;
  /** By status, method and fwd as one number. */
  readonly #counts = new Map<number, Tally>();
  #started = 0;
  #ended = 0;
  #hits = 0;
  #bytes = 0;

  constructor(histograms: Histograms) {
    this.#histograms = histograms;
  }

  started(): void {
    this.#started++;
  }

  finished({ method, status, hit, fwd, bytes, durationMs, firstByteMs, releaseMs }: FinishedRequest): void {
    const otherIndex = method === 'HEAD' ? 1 : 2;
    const methodIndex = method === 'GET' ? 0 : otherIndex;
    const fwdIndex = hit ? 0 : Math.max(0, forwards.indexOf(fwd as (typeof forwards)[number]));
    const statusKept = status >= 100 && status <= 599 ? status : 0;
    const key = (statusKept * methods.length + methodIndex) * forwards.length + fwdIndex;
    this.#countOf(key).add(1);
    this.#ended++;
    if (hit) this.#hits++;
    this.#bytes += bytes;
    this.#histograms.duration.observe(durationMs / 1000);
    if (firstByteMs !== undefined) this.#histograms.firstByte.observe(firstByteMs / 1000);
    if (releaseMs !== undefined) this.#histograms.release.observe(releaseMs / 1000);
  }

  /** All that was counted, to be added elsewhere; counting begins anew. */
  take(): RequestReport {
    const report = {
      counts: [...this.#counts].map(([key, { value }]) => [key, value] as const),
      ...{ started: this.#started, ended: this.#ended, hits: this.#hits, bytes: this.#bytes },
      duration: this.#histograms.duration.take(),
      firstByte: this.#histograms.firstByte.take(),
      release: this.#histograms.release.take(),
    };
    this.#counts.clear();
    this.#started = this.#ended = this.#hits = this.#bytes = 0;
    return report;
  }

  add({ counts, started, ended, hits, bytes, duration, firstByte, release }: RequestReport): void {
    for (const [key, count] of counts) this.#countOf(key).add(count);
    this.#started += started;
    this.#ended += ended;
    this.#hits += hits;
    this.#bytes += bytes;
    this.#histograms.duration.add(duration);
    this.#histograms.firstByte.add(firstByte);
    this.#histograms.release.add(release);
  }

  /** So many requests that were started will never be told to have ended. */
  forget(started: number): void {
    this.#started -= started;
  }

  totals(): RequestTotals {
    const inFlight = Math.max(0, this.#started - this.#ended);
    return { total: this.#ended, hits: this.#hits, inFlight, bytes: this.#bytes };
  }

  rows(): Row[] {
    return [...this.#counts].map(([key, { value }]) => {
      const fwd = forwards[key % forwards.length] ?? 'none';
      const rest = Math.floor(key / forwards.length);
      const method = methods[rest % methods.length] ?? 'other';
      const status = String(Math.floor(rest / methods.length));
      return [{ method, status, fwd }, value];
    });
  }

  #countOf(key: number): Tally {
    return this.#counts.getOrInsertComputed(key, () => new Tally());
  }
}

/** Counts of requests that nobody scrapes here: in a thread that reports them to where they are. */
export function createRequestCounts(): RequestCounts {
  const times = (bounds = latencyBucketsSeconds) => new BucketCounts(bounds);
  return new RequestCounts({ duration: times(), firstByte: times(), release: times(releaseBucketsSeconds) });
}
