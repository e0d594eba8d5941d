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

  /** For each bound, then without one, how many values were not above it. */
  cumulative(): { readonly bound: number | undefined; readonly count: number }[] {
    let count = 0;
    return this.counts.map((each, i) => {
      count += each;
      return { bound: this.bounds[i], count };
    });
  }
}
