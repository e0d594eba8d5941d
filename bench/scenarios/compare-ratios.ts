import type { Figures, Tool } from '../measure.ts';
import { workloads } from '../objects.ts';
import type { Protocol } from '../options.ts';
import type { Chart, Series } from '../report/chart.ts';
import type { Product } from '../servers/server.ts';
import { quotient, rounded } from '../statistics.ts';
import type { Finding } from './scenario.ts';

/** What one server did in one cell. */
export interface Row {
  readonly tool: Tool;
  readonly protocol: Protocol;
  readonly size: string;
  readonly connections: number;
  readonly product: Product;
  readonly server: string;
  readonly version: string;
  readonly reference: boolean;
  /** The suite that its TLS uses; undefined for HTTP. */
  readonly cipher: string | undefined;
  readonly figures: Figures;
}

/**
 * Eddy's figures over those of the best peer, a line for each cell with both. The best may be another one for each
 * figure. Over 1 Eddy is ahead, also for p99. `p99OfBest`: to the p99 of the peer with the most requests per CPU second,
 * since from 1 MB on the load generator is the limit, and a server that takes more CPU has its bytes read sooner there.
 */
export function ratiosOf(rows: readonly Row[]): readonly Finding[] {
  return cellsOf(rows).flatMap((cell) => {
    const eddy = cell.find(({ server }) => server === 'Eddy');
    const peers = cell.filter(isPeer);
    const best = bestOf(peers, ({ requestsPerCpuSecond }) => requestsPerCpuSecond);
    const quickest = bestOf(peers, ({ p99Ms }) => quotient(1, p99Ms));
    const fastest = bestOf(peers, ({ requestsPerSecond }) => requestsPerSecond);
    if (eddy === undefined || best === undefined) return [];
    const { tool, protocol, size, connections, figures } = eddy;
    return [
      {
        ...{ tool, protocol, size, connections },
        perCpuSecond: ratio(figures.requestsPerCpuSecond, best.figures.requestsPerCpuSecond),
        best: best.server,
        perSecond: ratio(figures.requestsPerSecond, fastest?.figures.requestsPerSecond),
        p99: ratio(quickest?.figures.p99Ms, figures.p99Ms),
        p99OfBest: ratio(best.figures.p99Ms, figures.p99Ms),
        eddyPerCpuSecond: figures.requestsPerCpuSecond,
        eddyP99Ms: figures.p99Ms,
        bestP99Ms: quickest?.figures.p99Ms,
      },
    ];
  });
}

/** Requests per CPU second over those of the best peer, by size: for wrk at the middle number of connections. */
export function chartsOf(rows: readonly Row[]): readonly Chart[] {
  const counts = [...new Set(rows.filter(({ tool }) => tool === 'wrk').map(({ connections }) => connections))];
  const connections = counts.includes(64) ? 64 : counts[0];
  return (['http', 'https'] as const).flatMap((protocol) => {
    const shown = rows.filter(
      (row) => row.tool === 'wrk' && row.protocol === protocol && row.connections === connections,
    );
    return shown.length === 0 ? [] : [chartOf(shown, `${protocol.toUpperCase()}, ${connections} connections`)];
  });
}

const products: readonly (readonly [Product, string])[] = [
  ['eddy', 'Eddy'],
  ['nginx', 'nginx (its fastest)'],
  ['varnish', 'Varnish'],
  ['trafficserver', 'Traffic Server'],
];

function chartOf(rows: readonly Row[], what: string): Chart {
  const sizes = workloads.filter(({ id }) => rows.some(({ size }) => size === id));
  const cells = sizes.map(({ id }) => rows.filter(({ size }) => size === id));
  const series = products.map(
    ([product, name]): Series => ({
      name,
      values: cells.map((cell) => {
        const own = cell.filter((row) => row.product === product && (isPeer(row) || row.server === 'Eddy'));
        const best = bestOf(cell.filter(isPeer), perCpuSecond)?.figures.requestsPerCpuSecond;
        return ratio(bestOf(own, perCpuSecond)?.figures.requestsPerCpuSecond, best);
      }),
    }),
  );
  return {
    kind: 'bars',
    title: `Requests per CPU second of the server, best peer = 1 (${what})`,
    unit: 'ratio',
    groups: sizes.map(({ label }) => label),
    // All of them, so that each keeps its color.
    series,
    mark: 1,
  };
}

function perCpuSecond({ requestsPerCpuSecond }: Figures): number | undefined {
  return requestsPerCpuSecond;
}

function isPeer({ product, reference }: Row): boolean {
  return product !== 'eddy' && !reference;
}

function bestOf(rows: readonly Row[], of: (figures: Figures) => number | undefined): Row | undefined {
  return rows
    .filter(({ figures }) => of(figures) !== undefined)
    .toSorted((a, b) => (of(b.figures) ?? 0) - (of(a.figures) ?? 0))[0];
}

function ratio(above: number | undefined, below: number | undefined): number | undefined {
  const value = quotient(above, below);
  return value === undefined ? undefined : rounded(value, 3);
}

function cellsOf(rows: readonly Row[]): readonly (readonly Row[])[] {
  const byCell = Map.groupBy(rows, ({ tool, protocol, size, connections }) =>
    [tool, protocol, size, connections].join(' '),
  );
  return [...byCell.values()];
}
