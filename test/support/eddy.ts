import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeTree } from './remove-tree.ts';

const mainFile = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const defaultReadyTimeoutMs = 60_000;
const stopTimeoutMs = 40_000;

export interface EddyOptions {
  /** Beside the environment of the tests, which EDDY_ variables are taken out of. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: src/main.ts of this checkout. */
  readonly program?: string;
  /** A command that runs the node, as `ip netns exec NAME` or `taskset -c 0`: it must become the node, not its parent. */
  readonly within?: readonly string[];
  /** Default: a minute. */
  readonly readyTimeoutMs?: number;
}

/** A node in a process of its own. */
export interface Eddy {
  /** URL of the first viewer listener. */
  readonly http: string;
  readonly admin: string;
  readonly peerId: string | null;
  readonly peers: readonly string[];
  /** The whole ready line. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly process: ChildProcess;
  /** Every line of standard output so far. */
  readonly stdoutLines: readonly string[];
  /** Drains it (SIGTERM) and resolves to its exit code; null when it had to be killed. */
  stop(): Promise<number | null>;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<void>;
}

export interface EddyExit {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Starts a node from its command line and waits until it is ready. What `args` leaves open is chosen so that nodes do
 * not meet: any port on loopback, and a data directory that `stop` and `kill` remove.
 */
export async function startEddy(args: readonly string[], options: EddyOptions = {}): Promise<Eddy> {
  const data = args.includes('--data') ? undefined : await mkdtemp(join(tmpdir(), 'eddy-node-'));
  const removeData = async () => {
    if (data !== undefined) await removeTree(data);
  };
  const child = spawnEddy([...args, ...defaultsFor(args, data)], options);
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const stderr = textOf(child.stderr);
  const stdoutLines: string[] = [];
  let ready: Record<string, unknown>;
  try {
    const { readyTimeoutMs = defaultReadyTimeoutMs } = options;
    ready = await readyLine(child, { stdoutLines, exited, readyTimeoutMs });
  } catch (error) {
    child.kill('SIGKILL');
    await exited;
    await removeData();
    throw new Error(`${(error as Error).message}\n${stderr()}${stdoutLines.join('\n')}`, { cause: error });
  }
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
    await removeData();
  };
  return {
    http: String((ready['http'] as unknown[])[0]),
    admin: String(ready['admin']),
    peerId: ready['peerId'] as string | null,
    peers: ready['peers'] as string[],
    ready,
    process: child,
    stdoutLines,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      const code = await exited;
      clearTimeout(timer);
      await removeData();
      return code;
    },
    kill,
  };
}

/** Runs the program to its end, for command lines that do not start a node. */
export async function runEddy(args: readonly string[], options: EddyOptions = {}): Promise<EddyExit> {
  const child = spawnEddy(args, options);
  const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)];
  const timer = setTimeout(() => child.kill('SIGKILL'), defaultReadyTimeoutMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, stdout: stdout(), stderr: stderr() };
}

function spawnEddy(args: readonly string[], options: EddyOptions): ChildProcess {
  const { env = {}, cwd, program = mainFile, within = [] } = options;
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('EDDY_')));
  const [command = process.execPath, ...rest] = [...within, process.execPath, program, ...args];
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...own, ...env },
    ...(cwd !== undefined && { cwd }),
  });
  // A test that fails before it can stop its node leaves none behind.
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function defaultsFor(args: readonly string[], data: string | undefined): string[] {
  const values: readonly (readonly [option: string, value: string | undefined])[] = [
    ['--listen', '127.0.0.1:0'],
    ['--admin', '127.0.0.1:0'],
    ['--peer-listen', '/ip4/127.0.0.1/tcp/0'],
    ['--ram', '64MiB'],
    ['--disk', '256MiB'],
    ['--data', data],
  ];
  // Options win over files: one that names a file is left to it.
  const left = args.includes('--config') ? values.slice(-1) : values;
  return left.flatMap(([option, value]) => (args.includes(option) || value === undefined ? [] : [option, value]));
}

async function readyLine(
  child: ChildProcess,
  about: { stdoutLines: string[]; exited: Promise<number | null>; readyTimeoutMs: number },
): Promise<Record<string, unknown>> {
  const { stdoutLines, exited, readyTimeoutMs } = about;
  if (child.stdout === null) throw new Error('the node has no standard output');
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ready line within ${readyTimeoutMs} ms`)), readyTimeoutMs);
    lines.on('line', (line) => {
      stdoutLines.push(line);
      if (!line.includes('"msg":"ready"')) return;
      clearTimeout(timer);
      resolve(JSON.parse(line) as Record<string, unknown>);
    });
    void exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the node ended with ${code} before it was ready`));
    });
  });
}

/** Collects a stream's text; call the result for what has come so far. */
function textOf(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return () => text;
}
