import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { groupOf, Placement } from '../../src/peers/placement.ts';
import { type Eddy, startEddy } from './eddy.ts';

/** A member of a cell in a process of its own. */
export interface CellNode extends Eddy {
  readonly peerId: string;
}

/** Nodes of one cell, each a process, that know each other. Ended by `close`. */
export class ProcessCell {
  readonly nodes: CellNode[] = [];
  readonly args: readonly string[];
  readonly #directory: string;

  private constructor(directory: string, args: readonly string[]) {
    this.#directory = directory;
    this.args = args;
  }

  /** That many nodes, up to each other. `args` go to each of them. */
  static async start(count: number, args: readonly string[]): Promise<ProcessCell> {
    const directory = await mkdtemp(join(tmpdir(), 'eddy-cell-'));
    const keyFile = join(directory, 'cell.key');
    await writeFile(keyFile, randomBytes(32).toString('hex'));
    const cell = new ProcessCell(directory, ['--cell', randomUUID(), '--cell-key', keyFile, ...args]);
    try {
      await cell.add();
      await Promise.all(Array.from({ length: count - 1 }, () => cell.add()));
      await cell.met();
    } catch (error) {
      await cell.close();
      throw error;
    }
    return cell;
  }

  /** One more; it is told of the first node. */
  async add(args: readonly string[] = []): Promise<CellNode> {
    const known = this.nodes[0]?.peers[0];
    const eddy = await startEddy([...this.args, ...(known === undefined ? [] : ['--peer', known]), ...args]);
    const node = { ...eddy, peerId: eddy.peerId ?? '' };
    this.nodes.push(node);
    return node;
  }

  /** Resolves when each of these nodes has all the others up. */
  async met(nodes: readonly CellNode[] = this.nodes): Promise<void> {
    for (const node of nodes) {
      await vi.waitFor(
        async () => {
          const { peers } = (await (await fetch(`${node.admin}/api/peers`)).json()) as { peers: { state: string }[] };
          const up = peers.filter(({ state }) => state === 'up').length;
          if (up !== nodes.length - 1) throw new Error(`${up} of ${nodes.length - 1} peers: ${JSON.stringify(peers)}`);
        },
        { timeout: 15_000, interval: 50 },
      );
    }
  }

  /** A path, made by `path` of a number, whose first byte this node is responsible for. */
  pathOf(owner: CellNode, path: (i: number) => string): string {
    const placement = new Placement(this.nodes.map(({ peerId }) => ({ peerId, weight: 1 })));
    for (let i = 0; ; i++) {
      if (placement.order(groupOf(`default ${path(i)}`, 0))[0] === owner.peerId) return path(i);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node.kill()));
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A metric's samples, summed. `labels`: a part of the label set. */
export async function metric(node: Eddy, name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${node.admin}/metrics`)).text();
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(name) && !line.startsWith('#') && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
