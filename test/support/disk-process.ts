import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('./disk-child.ts', import.meta.url));

/** What the process found in the store when it started. */
export interface Found {
  readonly openCpuMs: number;
  readonly entries: number;
  readonly pieces: number;
  readonly corrupt: number;
  readonly log: readonly string[];
}

export interface Ended {
  /** Undefined when the process did not get as far. */
  readonly found: Found | undefined;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/**
 * Starts `disk-child.ts`. `found` resolves when all that is stored was read and compared, or the process ended; `full`
 * when it has written more than the store holds, or ended.
 */
export function startDiskProcess(
  mode: 'verify' | 'write',
  directory: string,
): { child: ChildProcess; found: Promise<Found | undefined>; full: Promise<unknown>; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [script, mode, directory], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr = (stderr + data).slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = lines.next();
  const found = first.then(({ done, value }) => (done ? undefined : (JSON.parse(value) as Found)));
  const full = first.then(() => lines.next());
  const ended = (async () => {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return { found: await found, code, signal, stderr };
  })();
  return { child, found, full, ended };
}
