import { Counter, Gauge, type Histogram, type Registry } from 'prom-client';
import { BucketCounts, latencyBucketsSeconds } from './histogram.ts';
import type { Row } from './tally.ts';

interface Samples {
  readonly labels?: readonly string[];
  /** Called at each scrape. */
  readonly rows: () => readonly Row[];
}

/** Declares metrics whose samples are read at each scrape: counting costs nothing but an addition. */
export class Declarer {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  counter(name: string, help: string, { labels = [], rows }: Samples): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect: () => {
        counter.reset();
        for (const [rowLabels, value] of rows()) counter.inc(rowLabels, value);
      },
    });
  }

  gauge(name: string, help: string, { labels = [], rows }: Samples): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect: () => {
        gauge.reset();
        for (const [rowLabels, value] of rows()) gauge.set(rowLabels, value);
      },
    });
  }

  histogram(name: string, help: string, boundsSeconds = latencyBucketsSeconds): BucketCounts {
    const counts = new BucketCounts(boundsSeconds);
    const metric = { name, help, type: 'histogram', aggregator: 'sum', reset: () => {} };
    const get = async () => ({ ...metric, values: samplesOf(name, counts) });
    // A registry asks no more of a metric; `observe` of prom-client's own costs more than all other counting.
    this.#registry.registerMetric({ ...metric, get } as unknown as Histogram);
    return counts;
  }
}

function samplesOf(name: string, counts: BucketCounts): object[] {
  const buckets = counts.cumulative();
  return [
    ...buckets.map(({ bound, count }) => ({
      metricName: `${name}_bucket`,
      labels: { le: bound ?? '+Inf' },
      value: count,
    })),
    { metricName: `${name}_sum`, labels: {}, value: counts.sum },
    { metricName: `${name}_count`, labels: {}, value: buckets.at(-1)?.count },
  ];
}
