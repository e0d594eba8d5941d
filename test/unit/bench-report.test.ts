import { describe, expect, it } from 'vitest';
import { figuresOf, type Sample } from '../../bench/measure.ts';
import { axisEnd, drawSvg } from '../../bench/report/svg.ts';
import { markdownOf, tableOf } from '../../bench/report/table.ts';
import { chartsOf, type Row, ratiosOf } from '../../bench/scenarios/compare-ratios.ts';
import { median, percentile, quotient, rounded } from '../../bench/statistics.ts';

const sample: Sample = {
  requests: 1000,
  bytes: 2e9,
  seconds: 5,
  p50Ms: 1,
  p99Ms: 4,
  errors: 0,
  cpuSeconds: 2,
  rssBytes: 3e8,
};

describe('statistics', () => {
  it('take the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_none, i) => 100 - i);
    expect([0.5, 0.99, 0.999, 1, 0].map((share) => percentile(values, share))).toEqual([50, 99, 100, 100, 1]);
    expect(percentile([], 0.5)).toBeUndefined();
  });

  it('take the middle, or between the two in the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, undefined]);
  });

  it('never divide by nothing', () => {
    expect([quotient(6, 3), quotient(1, 0), quotient(undefined, 1)]).toEqual([2, undefined, undefined]);
    expect(rounded(0.0123456, 3)).toBe(0.0123);
  });
});

describe('figures', () => {
  it('weigh the rounds by what was done in them', () => {
    const figures = figuresOf([
      sample,
      { ...sample, requests: 3000, bytes: 6e9, cpuSeconds: 6, p99Ms: 8, rssBytes: 1e8 },
    ]);
    expect(figures).toEqual({
      requestsPerSecond: 400,
      megabytesPerSecond: 800,
      p50Ms: 1,
      p99Ms: 6,
      requestsPerCpuSecond: 500,
      cpuSecondsPerGb: 1,
      cpuSecondsPerThousand: 2,
      busy: 0.8,
      rssMb: 300,
      spread: 2,
    });
  });
});

describe('ratios', () => {
  const row = (server: string, changes: Partial<Row> & { cpuSeconds?: number; p99Ms?: number }): Row => {
    const { cpuSeconds = 2, p99Ms = 4, ...rest } = changes;
    const figures = figuresOf([{ ...sample, cpuSeconds, p99Ms }]);
    const about = {
      tool: 'wrk',
      protocol: 'http',
      size: '1k',
      connections: 64,
      version: '1',
      reference: false,
      cipher: undefined,
    } as const;
    return { ...about, product: 'nginx', server, figures, ...rest };
  };
  const rows = [
    row('Eddy', { product: 'eddy', cpuSeconds: 1, p99Ms: 8 }),
    row('nginx a', { cpuSeconds: 1.25 }),
    row('nginx b', { cpuSeconds: 5, p99Ms: 2 }),
    row('without log', { product: 'varnish', reference: true, cpuSeconds: 0.1 }),
    row('Eddy (baseline)', { product: 'eddy', reference: true, cpuSeconds: 0.1 }),
  ];

  it('are taken to the best peer for each figure, references left out', () => {
    expect(ratiosOf(rows)).toMatchObject([{ size: '1k', best: 'nginx a', perCpuSecond: 1.25, p99: 0.25 }]);
  });

  it('need Eddy and a peer', () => {
    expect(ratiosOf(rows.slice(1))).toEqual([]);
    expect(ratiosOf(rows.slice(0, 1))).toEqual([]);
  });

  it('are drawn for each protocol that was measured', () => {
    const [chart, ...others] = chartsOf(rows);
    expect(others).toEqual([]);
    expect(chart).toMatchObject({ kind: 'bars', groups: ['1 KB'] });
    expect(chart?.series).toEqual([
      { name: 'Eddy', values: [1.25] },
      { name: 'nginx (its fastest)', values: [1] },
      { name: 'Varnish', values: [undefined] },
      { name: 'Traffic Server', values: [undefined] },
    ]);
  });
});

describe('tables', () => {
  const findings = [
    { server: 'Eddy', 'req/s': 129_600, ms: 1.2345 },
    { server: 'Varnish', 'req/s': 88, note: 'no TLS' },
  ];

  it('are aligned', () => {
    expect(tableOf(findings)).toBe(
      ['server    req/s    ms  note', 'Eddy     129600  1.23', 'Varnish      88        no TLS'].join('\n'),
    );
  });

  it('are written as Markdown', () => {
    expect(markdownOf(findings).split('\n')).toEqual([
      '| server | req/s | ms | note |',
      '| --- | --- | --- | --- |',
      '| Eddy | 129600 | 1.23 |  |',
      '| Varnish | 88 |  | no TLS |',
    ]);
  });
});

describe('the picture', () => {
  const bars = {
    kind: 'bars',
    title: 'a < b & c',
    unit: 'ratio',
    groups: ['1 KB', '6 MB'],
    series: [{ name: 'Eddy', values: [1, undefined] }],
    mark: 1,
  } as const;

  it('has a bar for each value and nothing for a missing one', () => {
    const svg = drawSvg([bars]);
    expect(svg.match(/<rect [^>]*fill="#0b6e4f"/g)).toHaveLength(2); // the legend's and one bar
    expect(svg).toContain('a &lt; b &amp; c');
    expect(svg).toContain('stroke-dasharray');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('has lines from the first x to the last', () => {
    const lines = {
      kind: 'lines',
      title: 'RSS',
      unit: 'MB',
      axis: 'seconds',
      xs: [0, 5, 10],
      series: [{ name: 'RSS', values: [100, 200, undefined] }],
    } as const;
    expect(drawSvg([bars, lines])).toContain('points="64,166 504,64"');
    expect(drawSvg([lines, { ...lines, xs: [], series: [] }])).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('ends its axis at a round number', () => {
    expect([0, 0.07, 1, 1.01, 3, 7, 900].map(axisEnd).map((value) => Number(value.toPrecision(6)))).toEqual([
      1, 0.075, 1, 1.5, 3, 7.5, 1000,
    ]);
  });
});
