import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Machine, quietEnough } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import type { Scenario, ScenarioResult } from '../scenarios/scenario.ts';
import { drawSvg } from './svg.ts';
import { markdownOf } from './table.ts';

/** Writes what there is so far: OUT.json for programs, OUT.md with the tables and OUT.svg with the picture. */
export async function writeReport(
  results: ReadonlyMap<Scenario, ScenarioResult>,
  { options, machine }: { options: BenchOptions; machine: Machine },
): Promise<void> {
  const { out, svg = `${out}.svg`, quick, seconds, rounds, accessLog } = options;
  const preliminary = quick || !quietEnough(machine);
  const run = { date: new Date().toISOString().slice(0, 10), preliminary, seconds, rounds, accessLog, machine };
  const scenarios = [...results].map(([{ id, title }, result]) => ({ id, title, ...result }));
  await Promise.all([out, svg].map((file) => mkdir(dirname(file), { recursive: true })));
  await writeFile(`${out}.json`, `${JSON.stringify({ ...run, scenarios: scenarios.map(withoutCharts) }, null, 2)}\n`);
  await writeFile(svg, drawSvg(scenarios.flatMap(({ charts }) => charts)));
  const head = `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}; ${rounds} rounds of ${seconds} s${preliminary ? '; preliminary: compare ratios only' : ''}`;
  await writeFile(`${out}.md`, [`# Results of ${run.date}`, head, ...scenarios.map(sectionOf), ''].join('\n\n'));
}

function withoutCharts({ charts: _charts, ...rest }: ScenarioResult): Omit<ScenarioResult, 'charts'> {
  return rest;
}

function sectionOf({ title, findings, ratios = [], notes, failures }: ScenarioResult & { title: string }): string {
  const ratioLines =
    ratios.length === 0 ? [] : ['Eddy against the best peer (over 1: Eddy is ahead)', markdownOf(ratios)];
  const failed = failures.map((failure) => `- failed: ${failure}`);
  const lists = [...notes.map((note) => `- ${note}`), ...failed].join('\n');
  return [`## ${title}`, ...ratioLines, ...(findings.length === 0 ? [] : [markdownOf(findings)]), lists].join('\n\n');
}
