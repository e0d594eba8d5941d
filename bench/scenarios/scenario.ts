import type { BenchOptions } from '../options.ts';
import type { Origin } from '../origin-process.ts';
import type { Program } from '../packages.ts';
import type { Chart } from '../report/chart.ts';
import type { Rig } from '../rig.ts';
import type { ServerOptions } from '../servers/server.ts';

/** One line of a table: what was measured, and the figures. */
export type Finding = Readonly<Record<string, string | number | undefined>>;

export interface ScenarioResult {
  readonly findings: readonly Finding[];
  /** Eddy against the others, where there are others. */
  readonly ratios?: readonly Finding[];
  /** What a reader must know to read the figures right. */
  readonly notes: readonly string[];
  readonly charts: readonly Chart[];
  /** What went wrong; the run ends with an error. */
  readonly failures: readonly string[];
}

/** What a scenario runs with. */
export interface Bench {
  readonly rig: Rig;
  readonly origin: Origin;
  readonly options: BenchOptions;
  /** For starting servers; a scenario may change the budgets. */
  readonly server: ServerOptions;
  /** Writes what there is so far, so that a run that is stopped has something to show. */
  keep(result: ScenarioResult): Promise<void>;
  /** Prints a line for whoever waits. */
  say(line: string): void;
  /** Prints findings as a table. */
  show(title: string, findings: readonly Finding[]): void;
}

/** A question that the bench answers. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** Programs it runs beside the servers that were chosen. */
  programs(options: BenchOptions): readonly Program[];
  run(bench: Bench): Promise<ScenarioResult>;
}
