import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Supply, SupplyRequest } from '../../src/cache/supply.ts';
import { Fields } from '../../src/fields.ts';
import type { PeerAnswer, PeerRequest, PeerSource } from '../../src/peers/answer/source.ts';
import { openIdentity } from '../../src/peers/cell/identity.ts';
import { groupOf, Placement } from '../../src/peers/members/placement.ts';
import { PeerPlane, type PeerPlaneOptions } from '../../src/peers/plane.ts';
import { cellKeyHex, keyOf, quietLog } from './peer-options.ts';
import { removeTree } from './remove-tree.ts';
import { soon } from './until.ts';

/** A source whose answer a test sets, and that keeps what it was asked. */
class ScriptedSource implements PeerSource {
  readonly requests: PeerRequest[] = [];
  answer: (request: PeerRequest, signal: AbortSignal) => Promise<PeerAnswer | 'denied' | undefined> = async () =>
    undefined;

  open(request: PeerRequest, signal: AbortSignal): Promise<PeerAnswer | 'denied' | undefined> {
    this.requests.push(request);
    return this.answer(request, signal);
  }
}

export interface TestNode {
  readonly plane: PeerPlane;
  readonly source: ScriptedSource;
  readonly outcomes: string[];
  readonly bytes: { in: number; out: number };
  readonly corrupt: string[];
}

/** Nodes of one cell in this process; `close` ends them and removes what they kept. */
export class TestCell {
  readonly nodes: TestNode[] = [];

  async start(options: Partial<PeerPlaneOptions> = {}): Promise<TestNode> {
    const directory = await mkdtemp(join(tmpdir(), 'eddy-peers-'));
    this.#directories.push(directory);
    const source = new ScriptedSource();
    const outcomes: string[] = [];
    const bytes = { in: 0, out: 0 };
    const corrupt: string[] = [];
    const plane = await PeerPlane.open({
      identity: await openIdentity(join(directory, 'identity')),
      cell: { name: 'test', keyHex: cellKeyHex },
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: this.nodes.slice(0, 1).flatMap(({ plane: { addresses } }) => addresses.slice(0, 1)),
      mdns: false,
      source,
      keyOf,
      log: quietLog,
      onBytes: (direction, count) => {
        bytes[direction] += count;
      },
      onOutcome: (direction, outcome) => outcomes.push(`${direction} ${outcome}`),
      onCorrupt: (peerId) => corrupt.push(peerId),
      ...options,
    });
    const node = { plane, source, outcomes, bytes, corrupt };
    this.nodes.push(node);
    return node;
  }

  /** That many nodes, which all see each other. */
  async of(count: number, options: Partial<PeerPlaneOptions> = {}): Promise<TestNode[]> {
    for (let i = 0; i < count; i++) await this.start(options);
    await this.met(count - 1);
    return this.nodes;
  }

  /** Resolves when every node has that many peers up. */
  async met(peers: number): Promise<void> {
    await soon(() => {
      for (const { plane } of this.nodes) {
        const up = plane.peers().filter(({ state }) => state === 'up').length;
        if (up !== peers) throw new Error(`${up} of ${peers} peers: ${JSON.stringify(plane.peers())}`);
      }
    });
  }

  /** A request for something that these nodes, by index, are responsible for in this order. */
  requestFor(...order: readonly number[]): SupplyRequest {
    const ids = this.nodes.map(({ plane }) => plane.peerId);
    const placement = new Placement(ids.map((peerId) => ({ peerId, weight: 1 })));
    const wanted = order.map((i) => ids[i]);
    for (let i = 0; ; i++) {
      const target = `/segment-${i}.m4s`;
      const actual = placement.order(groupOf(keyOf({ map: 'm', target }), 0));
      if (wanted.every((id, at) => actual[at] === id)) return get(target);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map(({ plane }) => plane.close()));
    await Promise.all(this.#directories.splice(0).map((directory) => removeTree(directory)));
  }

  readonly #directories: string[] = [];
}

export function get(target: string, fields: Record<string, string> = {}): SupplyRequest {
  return { method: 'GET', target, fields: Fields.of(fields), map: 'm' };
}

/** An answer with these bytes, at once. */
export function answerOf(bytes: Buffer, fields: Record<string, string> = {}): PeerAnswer {
  return streamed(chunks(bytes), { 'content-length': String(bytes.length), ...fields });
}

export function streamed(body: AsyncIterable<Buffer>, fields: Record<string, string> = {}): PeerAnswer {
  return { status: 200, fields: Fields.of({ etag: '"v1"', ...fields }), completeLength: undefined, body };
}

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

export async function bytesOf(supply: Supply | undefined): Promise<Buffer> {
  if (supply === undefined) throw new Error('nothing was supplied');
  const parts: Buffer[] = [];
  for await (const part of supply.body) parts.push(part);
  return Buffer.concat(parts);
}

/** A body whose chunks a test sends when it wants; `undefined` ends it. */
export class PushedBody implements AsyncIterable<Buffer>, AsyncIterator<Buffer> {
  readonly #chunks: (Buffer | undefined)[] = [];
  #wake: (() => void) | undefined;
  returned = false;

  push(chunk: Buffer | undefined): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<Buffer> {
    return this;
  }

  async next(): Promise<IteratorResult<Buffer>> {
    while (this.#chunks.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const value = this.#chunks.shift();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  async return(): Promise<IteratorResult<Buffer>> {
    this.returned = true;
    return { done: true, value: undefined };
  }
}
