import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { groupOf, Placement } from '../../src/peers/members/placement.ts';
import { type Eddy, type EddyOptions, startEddy } from './eddy.ts';
import { removeTree } from './remove-tree.ts';

/** A member of a cell in a process of its own. */
export interface CellNode extends Eddy {
  readonly peerId: string;
  readonly adminToken: string | undefined;
}

/** What `/api/peers` says of a member. */
export interface PeerState {
  readonly peerId: string;
  readonly state: string;
  readonly reason: string;
}

export interface AddOptions extends EddyOptions {
  readonly args?: readonly string[];
  /** A member that it is told of. Default: the first node. */
  readonly bootstrap?: string | undefined;
  /** For a node whose admin listener is not on loopback. */
  readonly adminToken?: string;
}

interface Started extends AddOptions {
  readonly data: string;
}

/** Two cores load no more programs than that in reasonable time. */
const startedAtOnce = 4;
const meetTimeoutMs = 60_000;
const askEveryMs = 50;

/** Nodes of one cell, each a process, that know each other. Ended by `close`. */
export class ProcessCell {
  /** In the order they came; one that was killed is in it until it is started again or forgotten. */
  readonly nodes: CellNode[] = [];
  readonly args: readonly string[];
  /** How members that are no nodes of ours can join. */
  readonly name: string;
  readonly keyFile: string;
  readonly directory: string;
  readonly #started = new Map<CellNode, Started>();
  #data = 0;

  private constructor(about: { directory: string; name: string; keyFile: string; args: readonly string[] }) {
    this.directory = about.directory;
    this.name = about.name;
    this.keyFile = about.keyFile;
    this.args = about.args;
  }

  /** That many nodes, up to each other. `args` go to each of them; `{node}` in them is its number. */
  static async start(count: number, args: readonly string[], options: EddyOptions = {}): Promise<ProcessCell> {
    const directory = await mkdtemp(join(tmpdir(), 'eddy-cell-'));
    const [name, keyFile] = [randomUUID(), join(directory, 'cell.key')];
    await writeFile(keyFile, randomBytes(32).toString('hex'));
    const common = ['--cell', name, '--cell-key', keyFile, ...args];
    const cell = new ProcessCell({ directory, name, keyFile, args: common });
    try {
      if (count > 0) await cell.add(options);
      for (let left = count - 1; left > 0; left -= startedAtOnce)
        await Promise.all(Array.from({ length: Math.min(startedAtOnce, left) }, () => cell.add(options)));
      await cell.met();
    } catch (error) {
      await cell.close();
      throw error;
    }
    return cell;
  }

  /** One more. */
  async add(options: AddOptions = {}): Promise<CellNode> {
    const bootstrap = options.bootstrap ?? this.nodes[0]?.peers[0];
    const data = join(this.directory, `node-${++this.#data}`);
    const node = await this.#start({ ...options, bootstrap, data });
    this.nodes.push(node);
    return node;
  }

  /** A node that was killed or stopped comes back: the same identity and disk, other ports. */
  async restart(node: CellNode): Promise<CellNode> {
    const started = this.#started.get(node);
    if (started === undefined) throw new Error(`no node ${node.peerId} was started here`);
    const bootstrap = this.nodes.find((each) => each !== node && isRunning(each))?.peers[0];
    const again = await this.#start({ ...started, bootstrap });
    this.#started.delete(node);
    this.nodes.splice(this.nodes.indexOf(node), 1, again);
    return again;
  }

  /** Stops the process where it is; `thaw` lets it go on. */
  freeze(node: CellNode): void {
    node.process.kill('SIGSTOP');
  }

  thaw(node: CellNode): void {
    node.process.kill('SIGCONT');
  }

  get running(): readonly CellNode[] {
    return this.nodes.filter(isRunning);
  }

  /** Resolves when each of these nodes has all the others up. */
  async met(nodes: readonly CellNode[] = this.running): Promise<void> {
    const ids = nodes.map(({ peerId }) => peerId);
    for (const node of nodes)
      await this.sees(node, (peers) =>
        ids.every((id) => id === node.peerId || peers.some(({ peerId, state }) => peerId === id && state === 'up')),
      );
  }

  /** Resolves when that holds for what the node says of its peers. */
  async sees(node: CellNode, holds: (peers: readonly PeerState[]) => boolean): Promise<void> {
    const deadline = performance.now() + meetTimeoutMs;
    for (;;) {
      const peers = await peersOf(node).catch(() => []);
      if (holds(peers)) return;
      if (performance.now() > deadline) throw new Error(`${node.peerId} sees ${JSON.stringify(peers)}`);
      await sleep(askEveryMs);
    }
  }

  /** Of its peers, as it sees them now. */
  async statesAt(node: CellNode): Promise<readonly string[]> {
    return (await peersOf(node)).map(({ state }) => state);
  }

  /** A path, made by `path` of a number, whose first byte these nodes are responsible for, in that order. */
  pathOf(owner: CellNode | readonly { readonly peerId: string }[], path: (i: number) => string): string {
    const wanted = ('peerId' in owner ? [owner] : owner).map(({ peerId }) => peerId);
    const others = this.running.map(({ peerId }) => peerId);
    const placement = new Placement([...new Set([...others, ...wanted])].map((peerId) => ({ peerId, weight: 1 })));
    for (let i = 0; ; i++) {
      const order = placement.order(groupOf(`default ${path(i)}`, 0));
      if (wanted.every((id, at) => order[at] === id)) return path(i);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node.kill()));
    await removeTree(this.directory);
  }

  async #start(started: Started): Promise<CellNode> {
    const { bootstrap, data, args = [], adminToken } = started;
    const peer = bootstrap === undefined ? [] : ['--peer', bootstrap];
    const token = adminToken === undefined ? [] : ['--admin-token', adminToken];
    const number = data.slice(data.lastIndexOf('-') + 1);
    const own = [...this.args, ...args].map((arg) => arg.replace('{node}', number));
    const eddy = await startEddy([...own, ...peer, ...token, '--data', data], started);
    const node = { ...eddy, peerId: eddy.peerId ?? '', adminToken };
    this.#started.set(node, started);
    return node;
  }
}

export function isRunning({ process }: Eddy): boolean {
  return process.exitCode === null && process.signalCode === null;
}

export async function peersOf(node: CellNode): Promise<readonly PeerState[]> {
  return (JSON.parse(await adminText(node, '/api/peers')) as { peers: PeerState[] }).peers;
}

/** All metrics as the node tells them. */
export function metricText(node: CellNode): Promise<string> {
  return adminText(node, '/metrics');
}

/** A metric's samples, summed. `labels`: a part of the label set. */
export async function metric(node: CellNode, name: string, labels = ''): Promise<number> {
  const lines = (await adminText(node, '/metrics'))
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.startsWith('#') && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

async function adminText({ admin, adminToken }: CellNode, path: string): Promise<string> {
  const headers = adminToken === undefined ? {} : { Authorization: `Bearer ${adminToken}` };
  const response = await fetch(admin + path, { headers, signal: AbortSignal.timeout(20_000) });
  if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
  return response.text();
}
