import type { Finding } from '../scenarios/scenario.ts';

/** Findings as lines of aligned columns: text to the left, numbers to the right. */
export function tableOf(findings: readonly Finding[]): string {
  const columns = [...new Set(findings.flatMap((finding) => Object.keys(finding)))];
  const rows = [columns, ...findings.map((finding) => columns.map((column) => cellOf(finding[column])))];
  const widths = columns.map((_column, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const numeric = columns.map((column) => findings.every((finding) => typeof finding[column] !== 'string'));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The same as a table of Markdown. */
export function markdownOf(findings: readonly Finding[]): string {
  const columns = [...new Set(findings.flatMap((finding) => Object.keys(finding)))];
  const lines = findings.map((finding) => columns.map((column) => cellOf(finding[column])));
  return [columns, columns.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cellOf(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  return Number.isInteger(value) || Math.abs(value) >= 1000
    ? String(Math.round(value))
    : String(Number(value.toPrecision(3)));
}
