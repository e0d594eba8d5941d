/** From a hit in RAM, tens of microseconds, to a long download. */
export const latencyBucketsSeconds = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** Releases of held requests and news in a cell: milliseconds, and whether they are under 20 of them. */
export const releaseBucketsSeconds = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2.5,
];

/** What was counted in buckets, to be added to other counts. */
export interface BucketReport {
  readonly counts: readonly number[];
  readonly sum: number;
}

/** How often values fell into each bucket. Observing is a short search and three additions: safe on the hottest path. */
export class BucketCounts {
  /** Upper bounds, ascending; each is in its bucket. */
  readonly bounds: readonly number[];
  /** Not cumulative; one for each bound, then one for what is above all. */
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    counts[at] = (counts[at] as number) + 1;
    this.sum += value;
  }

  /** What was counted so far, which begins anew. */
  take(): BucketReport {
    const report = { counts: [...this.counts], sum: this.sum };
    this.counts.fill(0);
    this.sum = 0;
    return report;
  }

  /** Adds what was counted elsewhere, with the same bounds. */
  add({ counts, sum }: BucketReport): void {
    counts.forEach((count, i) => {
      this.counts[i] = (this.counts[i] ?? 0) + count;
    });
    this.sum += sum;
  }

  /** For each bound, then without one, how many values were not above it. */
  cumulative(): { readonly bound: number | undefined; readonly count: number }[] {
    let count = 0;
    return this.counts.map((each, i) => {
      count += each;
      return { bound: this.bounds[i], count };
    });
  }
}
