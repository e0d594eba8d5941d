import type { BarChart, Chart, LineChart } from './chart.ts';

/*
 * An own writer instead of a chart library: bars and lines on a fixed grid are all there is to draw, libraries that
 * write SVG without a browser bring dozens of packages.
 */
const width = 960;
const panelHeight = 320;
const plot = { left: 64, right: width - 16, top: 64, bottom: 268 };
const colors = ['#0b6e4f', '#c44536', '#8d99ae', '#e09f3e', '#5b7db1', '#9a6fb0', '#6b705c', '#bc6c25'];
const gridLines = 5;

/** The charts below each other as one picture. */
export function drawSvg(charts: readonly Chart[]): string {
  const height = Math.max(1, charts.length) * panelHeight;
  const panels = charts.map((chart, i) => `<g transform="translate(0 ${i * panelHeight})">${panelOf(chart)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#ffffff"/>
${panels.join('\n')}
</svg>
`;
}

/** The next number that is not below the value and whose fifths are round. */
export function axisEnd(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].find((each) => each * power >= value * 0.9999) ?? 10;
  return step * power;
}

function panelOf(chart: Chart): string {
  const values = chart.series.flatMap(({ values: each }) => each).filter((value) => value !== undefined);
  const top = axisEnd(Math.max(0, ...values, chart.mark ?? 0));
  const y = (value: number) => plot.bottom - (value / top) * (plot.bottom - plot.top);
  const title = `<text x="16" y="22" font-size="15" font-weight="600">${escaped(chart.title)}</text>`;
  const drawn = chart.kind === 'bars' ? barsOf(chart, y) : linesOf(chart, y);
  return [title, legendOf(chart), gridOf(chart, { top, y }), ...drawn, markOf(chart, y)].join('\n');
}

function legendOf({ series }: Chart): string {
  const step = (width - 32) / Math.max(1, series.length);
  return series
    .map(({ name }, i) => {
      const x = 16 + i * step;
      return `<rect x="${fixed(x)}" y="34" width="10" height="10" fill="${colorOf(i)}"/><text x="${fixed(x + 15)}" y="43">${escaped(name)}</text>`;
    })
    .join('\n');
}

function gridOf({ unit }: Chart, { top, y }: { top: number; y: (value: number) => number }): string {
  const lines = Array.from({ length: gridLines + 1 }, (_none, i) => (top * i) / gridLines).map((value) => {
    const at = fixed(y(value));
    return `<line x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}" stroke="#e3e3e3"/><text x="${plot.left - 6}" y="${at}" dy="4" text-anchor="end" fill="#555">${Number(value.toPrecision(3))}</text>`;
  });
  return [
    ...lines,
    `<text x="${plot.left - 6}" y="${plot.top - 8}" text-anchor="end" fill="#555">${escaped(unit)}</text>`,
  ].join('\n');
}

function barsOf({ groups, series }: BarChart, y: (value: number) => number): readonly string[] {
  const groupWidth = (plot.right - plot.left) / Math.max(1, groups.length);
  const barWidth = (groupWidth * 0.86) / Math.max(1, series.length);
  return groups.flatMap((group, g) => {
    const left = plot.left + g * groupWidth + groupWidth * 0.07;
    const bars = series.map(({ values }, s) =>
      barOf(values[g], { x: left + s * barWidth, width: barWidth, y, color: colorOf(s) }),
    );
    const middle = fixed(left + groupWidth * 0.43);
    return [...bars, `<text x="${middle}" y="${plot.bottom + 18}" text-anchor="middle">${escaped(group)}</text>`];
  });
}

function barOf(
  value: number | undefined,
  { x, width: barWidth, y, color }: { x: number; width: number; y: (value: number) => number; color: string },
): string {
  if (value === undefined) return '';
  const top = y(value);
  const label = `<text x="${fixed(x + barWidth / 2)}" y="${fixed(top - 3)}" text-anchor="middle" font-size="9" fill="#333">${Number(value.toPrecision(3))}</text>`;
  return `<rect x="${fixed(x)}" y="${fixed(top)}" width="${fixed(barWidth * 0.92)}" height="${fixed(plot.bottom - top)}" fill="${color}"/>${label}`;
}

function linesOf({ xs, axis, series }: LineChart, y: (value: number) => number): readonly string[] {
  const [first, last] = [Math.min(...xs), Math.max(...xs)];
  const x = (value: number) => plot.left + ((value - first) / (last - first || 1)) * (plot.right - plot.left);
  const lines = series.map(({ values }, s) => {
    const points = values.flatMap((value, i) => {
      const at = xs[i];
      return value === undefined || at === undefined ? [] : [`${fixed(x(at))},${fixed(y(value))}`];
    });
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colorOf(s)}" stroke-width="1.6"/>`;
  });
  const ticks = [first, (first + last) / 2, last]
    .filter(Number.isFinite)
    .map(
      (value) =>
        `<text x="${fixed(x(value))}" y="${plot.bottom + 18}" text-anchor="middle">${Number(value.toPrecision(3))}</text>`,
    );
  const name = `<text x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 36}" text-anchor="middle" fill="#555">${escaped(axis)}</text>`;
  return [...lines, ...ticks, name];
}

function markOf({ mark }: Chart, y: (value: number) => number): string {
  if (mark === undefined) return '';
  const at = fixed(y(mark));
  return `<line x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}" stroke="#222" stroke-dasharray="5 4"/>`;
}

function colorOf(index: number): string {
  return colors[index % colors.length] ?? '#000000';
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
