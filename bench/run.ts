/** `npm run bench`: measures Eddy beside the servers it is held against. Installs nothing. See docs/performance.md. */
import { writeCertificate } from './certificate.ts';
import { machineOf, quietEnough } from './machine.ts';
import { type BenchOptions, readOptions, usage } from './options.ts';
import { startOrigin } from './origin-process.ts';
import { missingPackages, searchPath } from './packages.ts';
import { writeReport } from './report/report.ts';
import { tableOf } from './report/table.ts';
import { Rig } from './rig.ts';
import { scenarios } from './scenarios/all.ts';
import type { Bench, Scenario, ScenarioResult } from './scenarios/scenario.ts';

const gibibyte = 1024 ** 3;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: BenchOptions;
  let chosen: readonly Scenario[];
  try {
    options = readOptions(argv);
    chosen = choose(options);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    return 2;
  }
  if (options.help) {
    console.log(usage);
    return 0;
  }
  const missing = missingPackages(['taskset', ...chosen.flatMap((scenario) => scenario.programs(options))]);
  if (missing.length > 0) {
    console.error(`These Debian packages are missing:\n  apt-get install --no-install-recommends ${missing.join(' ')}`);
    return 2;
  }
  process.env['PATH'] = searchPath();
  return measure(options, chosen);
}

function choose({ only }: BenchOptions): readonly Scenario[] {
  const unknown = only.find((id) => scenarios.every((scenario) => scenario.id !== id));
  if (unknown !== undefined) {
    throw new Error(`--only ${unknown}: must be one of ${scenarios.map(({ id }) => id).join(', ')}`);
  }
  return only.length === 0 ? scenarios : scenarios.filter(({ id }) => only.includes(id));
}

async function measure(options: BenchOptions, chosen: readonly Scenario[]): Promise<number> {
  const rig = new Rig();
  const stop = () => {
    // Asked twice: do not wait for servers to end.
    if (rig.signal.aborted) process.exit(130);
    void rig.close();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  process.once('exit', () => rig.closeNow());
  const machine = machineOf();
  if (!quietEnough(machine)) console.log('This machine is busy with something else: compare ratios only.');
  const results = new Map<Scenario, ScenarioResult>();
  try {
    for (const scenario of chosen) {
      console.log(`\n## ${scenario.title}`);
      const keep = async (result: ScenarioResult) => {
        results.set(scenario, result);
        await writeReport(results, { options, machine });
      };
      const result = await runScenario(scenario, { rig, options, keep }).catch((error) => {
        rig.signal.throwIfAborted();
        return failed(error, results.get(scenario));
      });
      await keep(result);
    }
  } catch (error) {
    console.error(rig.signal.aborted ? 'stopped' : error);
    return 1;
  } finally {
    await rig.close();
  }
  console.log(`\nwritten to ${options.out}.json, .md and .svg`);
  const failures = [...results.values()].flatMap((result) => result.failures);
  for (const failure of failures) console.error(`failed: ${failure}`);
  return failures.length === 0 ? 0 : 1;
}

/** What a scenario that threw had found until then. */
function failed(error: unknown, found: ScenarioResult | undefined): ScenarioResult {
  console.error(error);
  const { findings = [], notes = [], charts = [], failures = [] } = found ?? {};
  return { ...found, findings, notes, charts, failures: [...failures, String(error)] };
}

/** Servers and origin of a scenario end with it. */
async function runScenario(
  scenario: Scenario,
  { rig, options, keep }: { rig: Rig; options: BenchOptions; keep: Bench['keep'] },
): Promise<ScenarioResult> {
  const origin = await startOrigin(rig);
  const certificate = await writeCertificate(rig.makeDirectory('certificate'));
  const { accessLog } = options;
  const bench: Bench = {
    rig,
    origin,
    options,
    server: { rig, origin: origin.url, certificate, accessLog, ramBytes: gibibyte, diskBytes: 2 * gibibyte },
    keep,
    say: (line) => console.log(line),
    show: (title, findings) => console.log(`\n${title}\n${tableOf(findings)}`),
  };
  try {
    const result = await scenario.run(bench);
    for (const note of result.notes) console.log(`- ${note}`);
    return result;
  } finally {
    await rig.stopAll();
  }
}
