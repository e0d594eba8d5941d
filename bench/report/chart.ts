/** Bars side by side in groups. Values are drawn against zero. */
export interface BarChart {
  readonly kind: 'bars';
  readonly title: string;
  readonly unit: string;
  readonly groups: readonly string[];
  readonly series: readonly Series[];
  /** A line across, such as the best peer's 1.0. */
  readonly mark?: number;
}

/** Lines over a common axis. */
export interface LineChart {
  readonly kind: 'lines';
  readonly title: string;
  readonly unit: string;
  readonly axis: string;
  readonly xs: readonly number[];
  readonly series: readonly Series[];
  readonly mark?: number;
}

export interface Series {
  readonly name: string;
  /** One for each group or x; undefined where there is none. */
  readonly values: readonly (number | undefined)[];
}

export type Chart = BarChart | LineChart;
