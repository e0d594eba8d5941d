import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
const readyTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;

/** A node of the demo. */
export interface DemoNode {
  readonly http: string;
  readonly admin: string;
  readonly peerId: string;
}

/** What a node says of itself. */
export interface DemoStatus {
  readonly bytes: Readonly<Record<'client' | 'ram' | 'disk' | 'peer' | 'origin', number>>;
  /** Of the other nodes that it has a link with. */
  readonly up: number;
}

/** Nodes of one cell, started as anybody would start them. */
export class CellNodes {
  readonly nodes: DemoNode[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  readonly #common: readonly string[];

  private constructor(directory: string, common: readonly string[]) {
    this.#directory = directory;
    this.#common = common;
  }

  static async prepare(origin: string): Promise<CellNodes> {
    const directory = await mkdtemp(join(tmpdir(), 'eddy-demo-'));
    const keyFile = join(directory, 'cell.key');
    await writeFile(keyFile, randomBytes(32).toString('hex'), { mode: 0o600 });
    const cell = ['--cell', `demo-${randomUUID().slice(0, 8)}`, '--cell-key', keyFile];
    const sizes = ['--ram', '128MiB', '--disk', '512MiB', '--log-level', 'warn'];
    const common = ['--origin', origin, ...cell, ...sizes, '--peer-listen', '/ip4/127.0.0.1/tcp/0'];
    return new CellNodes(directory, common);
  }

  /** One more, told of the first. Its log goes to standard error. */
  async add(): Promise<DemoNode> {
    const number = this.#children.length + 1;
    const args = [...this.#common, '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
    args.push('--data', join(this.#directory, `node-${number}`));
    if (this.#bootstrap !== undefined) args.push('--peer', this.#bootstrap);
    // A group of its own: Ctrl-C is for the demo, which then ends the nodes in order.
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    this.#children.push(child);
    const ready = await readyLine(child);
    this.#bootstrap ??= ready.peers[0];
    const node = { http: (ready.http[0] ?? '').replace(/\/$/, ''), admin: ready.admin, peerId: ready.peerId };
    this.nodes.push(node);
    return node;
  }

  #bootstrap: string | undefined;

  /** Undefined when it does not answer now. */
  async status({ admin }: DemoNode): Promise<DemoStatus | undefined> {
    try {
      const get = async (path: string) => (await fetch(admin + path, { signal: AbortSignal.timeout(2_000) })).json();
      const [{ bytes }, { peers }] = (await Promise.all([get('/api/status'), get('/api/peers')])) as [
        Pick<DemoStatus, 'bytes'>,
        { peers: { state: string }[] },
      ];
      return { bytes, up: peers.filter(({ state }) => state === 'up').length };
    } catch {
      return undefined;
    }
  }

  /** Ends them as a service manager would, and removes what they kept. */
  async close(): Promise<void> {
    await Promise.all(this.#children.map(end));
    await rm(this.#directory, { recursive: true, force: true });
  }

  closeNow(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

interface ReadyLine {
  readonly http: readonly string[];
  readonly admin: string;
  readonly peerId: string;
  readonly peers: readonly string[];
}

async function readyLine(child: ChildProcess): Promise<ReadyLine> {
  if (child.stdout === null) throw new Error('the node has no standard output');
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a node was not ready in time')), readyTimeoutMs);
    child.once('exit', (code) => reject(new Error(`a node ended with ${code} before it was ready`)));
    lines.on('line', (line) => {
      if (!line.includes('"msg":"ready"')) return;
      clearTimeout(timer);
      resolve(JSON.parse(line) as ReadyLine);
    });
  });
}
