#!/usr/bin/env node
import { helpText } from './config/help.ts';
import { type Loaded, loadConfig } from './config/load.ts';
import { machine } from './config/machine.ts';
import type { Config } from './config.ts';
import { messageOf } from './errors.ts';
import { CannotListen } from './listening.ts';
import { type OpenLog, openLog } from './log.ts';
import { isLatePeerError } from './node/process/late-errors.ts';
import { boundResidentMemory, boundYoungGeneration, tuneProcessMemory } from './node/process/process-memory.ts';
import { lowerCollectorPriority } from './node/process/thread-priority.ts';
import type { RunningNode } from './node.ts';
import { version } from './version.ts';

const exitFailed = 1;
const exitBadConfig = 2;

const argv = process.argv.slice(2);
const freeAtFirst = new Map<string, number>();
if (argv.includes('--help') || argv.includes('-h')) process.stdout.write(helpText(version));
else if (argv.includes('--version')) process.stdout.write(`${version}\n`);
else if (argv[0] === 'identity' || argv[0] === 'credential') await command(argv);
else {
  const { config, errors } = load();
  if (config !== undefined) await run(config);
  else {
    process.stderr.write(errors.map((error) => `eddy: ${error}\n`).join(''));
    process.exitCode = exitBadConfig;
  }
}

/** Loads what makes keys only for who needs it. */
async function command(args: readonly string[]): Promise<void> {
  const { runCommand } = await import('./node/commands.ts');
  const result = await runCommand(args);
  if ('output' in result) process.stdout.write(result.output);
  else {
    process.stderr.write(`eddy: ${result.error}\n`);
    process.exitCode = exitBadConfig;
  }
}

/** Runs a node until a signal ends it. */
async function run(config: Config): Promise<void> {
  tuneProcessMemory();
  boundResidentMemory(config.ramBytesMax);
  if (config.workers === 1) boundYoungGeneration();
  lowerCollectorPriority(config.ramBytesMax);
  const output = openLog({ level: config.logLevel, pretty: process.stdout.isTTY === true });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      if (isLatePeerError(error)) output.log.warn({ reason: String(error) }, 'a connection to a peer ended late');
      else void fail(output, { error, message: 'an error nobody handled' });
    });
  }
  // Loaded only now: what comes before takes its memory from V8 and glibc as they are by themselves.
  const starting = import('./node.ts').then(({ startNode }) => startNode(config, { log: output.log }));
  onSignals({ starting, output });
  try {
    const { ready } = await starting;
    output.always(ready, 'ready');
  } catch (error) {
    // For who started it; what else there is to know of a fault of ours is in the log.
    process.stderr.write(`eddy: ${messageOf(error)}\n`);
    await fail(output, { error, message: 'the node could not start' });
  }
}

/** SIGTERM and SIGINT drain, a second one ends at once; SIGHUP reads the configuration again. */
function onSignals({ starting, output }: { starting: Promise<RunningNode>; output: OpenLog }): void {
  let draining = false;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (draining) return fail(output, { error: undefined, message: `a second ${signal}: ended without draining` });
    draining = true;
    output.log.info({ signal }, 'draining');
    try {
      await (await starting).drain();
      output.log.info({}, 'drained');
      await exit(output, 0);
    } catch (error) {
      await fail(output, { error, message: 'draining failed' });
    }
  };
  process.on('SIGTERM', (signal) => void end(signal));
  process.on('SIGINT', (signal) => void end(signal));

  let reloading = Promise.resolve();
  process.on('SIGHUP', () => {
    // One after the other: the last one read is the one that stays.
    reloading = reloading.then(async () => {
      if (!draining) await reload(await starting, output);
    });
  });
}

/** Keeps the configuration that runs when the new one is bad. */
async function reload(node: RunningNode, { log }: OpenLog): Promise<void> {
  try {
    const { config, errors } = load();
    if (config === undefined) return log.error({ errors }, 'the new configuration is bad: the old one stays');
    log.setLevel(config.logLevel);
    await node.reload(config);
  } catch (error) {
    log.error({ err: error }, 'the configuration could not be reloaded');
  }
}

function load(): Loaded {
  return loadConfig({ ...machine, diskFreeBytes, argv, env: process.env });
}

/** What was free at first: a default that follows from it is not changed by what comes to the disk meanwhile. */
function diskFreeBytes(directory: string): number {
  return freeAtFirst.getOrInsertComputed(directory, machine.diskFreeBytes);
}

async function fail(output: OpenLog, { error, message }: { error: unknown; message: string }): Promise<void> {
  const about = error instanceof CannotListen ? { reason: error.message } : { err: error };
  output.fatal(error === undefined ? {} : about, message);
  await exit(output, exitFailed);
}

/** Ends the process even if something still holds it open. */
async function exit({ flush }: OpenLog, code: number): Promise<void> {
  await flush();
  process.exit(code);
}
