import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { allowedCores } from './proc.ts';

export interface StartOptions {
  /** Core or cores it is pinned to, its children with it. */
  readonly core: number | readonly number[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** With an IPC channel. */
  readonly ipc?: boolean;
}

/** A process that runs until it is stopped. */
export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Its standard output and error. */
  readonly log: string;
  stop(): Promise<void>;
}

export interface RunOptions {
  readonly core: number;
  readonly timeoutMs: number;
  /** Whether all others on its core go first: it stands for who has a machine of its own. Default: no. */
  readonly yields?: boolean;
}

const stopTimeoutMs = 8_000;
const outputBytesMax = 16 * 1024 * 1024;

/** Everything a run leaves behind: child processes and a temporary directory. `close` takes both away. */
export class Rig {
  readonly directory: string;
  readonly serverCore: number;
  readonly loadCore: number;
  readonly #running = new Set<ChildProcess>();
  readonly #stop = new AbortController();
  #names = 0;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'eddy-bench-'));
    // Servers that give up their rights must still reach their files.
    chmodSync(this.directory, 0o755);
    const [first = 0, second = first] = allowedCores();
    this.serverCore = first;
    this.loadCore = second;
  }

  /** Aborted when the bench is to end. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** A new directory below the temporary one. */
  makeDirectory(name: string): string {
    const path = join(this.directory, `${++this.#names}-${name}`);
    mkdirSync(path, { mode: 0o755 });
    return path;
  }

  /** Starts a server. Its output goes to a file, as it would with any service manager that does not slow it down. */
  start(command: readonly string[], options: StartOptions): Running {
    this.signal.throwIfAborted();
    const log = join(this.directory, `${++this.#names}.log`);
    const output = openSync(log, 'a');
    const child = spawn('taskset', ['-c', String(options.core), ...command], {
      stdio: options.ipc ? ['ignore', output, output, 'ipc'] : ['ignore', output, output],
      env: { ...process.env, ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      // A group of its own, so that its children end with it.
      detached: true,
    });
    closeSync(output);
    this.#add(child);
    return { pid: child.pid ?? 0, child, log, stop: () => this.#end(child) };
  }

  /** Runs a program to its end and resolves to what it wrote to standard output. Rejects when it fails or is late. */
  async run(command: readonly string[], { core, timeoutMs, yields = false }: RunOptions): Promise<string> {
    this.signal.throwIfAborted();
    const line = [...(yields ? idle : []), 'taskset', '-c', String(core), ...command];
    const child = spawn(line[0] ?? '', line.slice(1), {
      // In the session of the bench and of the nodes it starts: the kernel shares a core among sessions first, and whoever has
      // one of its own gives way to nobody (sched(7), autogroup).
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#add(child);
    const [output, errors] = [new Output(child.stdout), new Output(child.stderr)];
    const timer = setTimeout(() => killGroup(child, 'SIGKILL'), timeoutMs);
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    clearTimeout(timer);
    if (code === 0) return output.text();
    const how = signal === null ? `ended with ${code}` : `was ended by ${signal} (at most ${timeoutMs} ms)`;
    throw new Error(`${command.slice(0, 2).join(' ')} ${how}: ${errors.text().slice(-500)}`);
  }

  /** Ends everything that runs. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.#end(child)));
  }

  /** Ends everything, and nothing can be started any more. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the bench was stopped'));
    await this.stopAll();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Without waiting, for when the process ends. */
  closeNow(): void {
    for (const child of this.#running) killGroup(child, 'SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  #add(child: ChildProcess): void {
    this.#running.add(child);
    // Without a listener a program that cannot be started would end the bench before it has cleaned up.
    child.on('error', () => this.#running.delete(child));
    child.on('exit', () => this.#running.delete(child));
  }

  async #end(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return;
    const ended = once(child, 'exit');
    killGroup(child, 'SIGTERM');
    const timer = setTimeout(() => killGroup(child, 'SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(timer);
    // Whatever it left in its group.
    killGroup(child, 'SIGKILL');
  }
}

/** SCHED_IDLE: whoever wakes up takes the core at once, and a core that only runs this counts as idle. */
const idle = ['chrt', '--idle', '0'];

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when `check` does; rejects with its last error, and the end of the log, when it never does. */
export async function until<T>(
  check: () => Promise<T>,
  about: { what: string; timeoutMs: number; running?: Running },
): Promise<T> {
  const deadline = performance.now() + about.timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      const ended = about.running !== undefined && about.running.child.exitCode !== null;
      if (performance.now() < deadline && !ended) {
        await delay(50);
        continue;
      }
      const log = about.running === undefined ? '' : `\n${readFileSync(about.running.log, 'utf8').slice(-2000)}`;
      throw new Error(`${about.what} is not ready${ended ? ': it ended' : ''}${log}`, { cause: error });
    }
  }
}

/** Access logs of a long run fill disks; what is in them is of no use. */
export function emptyLogs(files: readonly string[]): void {
  for (const file of files) {
    try {
      truncateSync(file);
    } catch {
      // Not there yet.
    }
  }
}

class Output {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(stream: NodeJS.ReadableStream) {
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.#bytes <= outputBytesMax) this.#chunks.push(chunk);
    });
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString();
  }
}

/** With its children where it has a group of its own. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}
