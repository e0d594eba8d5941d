import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { multiaddr } from '@multiformats/multiaddr';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Cell, openCell } from '../../src/peers/cell/cell-key.ts';
import { encodeCredential, issueCredential } from '../../src/peers/cell/credential.ts';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { startHost } from '../../src/peers/transport/host.ts';
import { encodeFrame } from '../../src/peers/wire/frames.ts';
import { encodeJson } from '../../src/peers/wire/messages.ts';
import { type CellNode, isRunning, metric, ProcessCell, peersOf } from '../support/cell.ts';
import { fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, KnownBytes } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { fuzzCount, fuzzSeed } from '../support/fuzz.ts';
import { wildFrames } from '../support/peer-frames.ts';
import { plainHost } from '../support/peer-options.ts';

/** 10,000 take some minutes, for most end their connection and a node takes 64 of those a second: EDDY_FUZZ_COUNT=10000. */
const count = fuzzCount(600);
const warmUp = 100;
const atOnce = 6;
/** What swallows the ping that follows it is told by silence. */
const silenceMs = 100;
const againMs = 200;

let origin: CellOrigin;
let cell: ProcessCell;
let node: CellNode;

beforeAll(async () => {
  origin = await CellOrigin.start();
  cell = await ProcessCell.start(1, ['--origin', origin.url, '--log-level', 'warn']);
  node = cell.nodes[0] as CellNode;
}, 60_000);

afterAll(async () => {
  await cell?.close();
  origin?.close();
});

const ping = encodeFrame('ping', Buffer.alloc(8));

interface Session {
  readonly control: Stream;
  readonly bulk: Stream;
  readonly connections: readonly Connection[];
}

/** A member with the cell's key that says what it is told to. */
class WildMember {
  readonly #host: Libp2p;
  readonly #hello: Buffer;
  #session: Session | undefined;

  private constructor(host: Libp2p, hello: Buffer) {
    this.#host = host;
    this.#hello = hello;
  }

  static async join(own: Cell): Promise<WildMember> {
    const identity = await passingIdentity();
    const issued = await issueCredential(own, { peerId: identity.peerId, expiresMs: Date.now() + 3_600_000 });
    const credential = encodeCredential(issued).toString('base64');
    const hello = encodeFrame('hello', encodeJson({ cell: own.tag, credential, weight: 1 }));
    const about = { ...identity, listen: [], transport: 'direct', mdnsTag: undefined, ...plainHost() } as const;
    return new WildMember(await startHost(about), hello);
  }

  /** Says it as a member, on the control or the bulk stream, and waits until it has been read. */
  async say(bytes: Buffer, onBulk: boolean): Promise<void> {
    this.#session ??= await this.#join();
    const { control, bulk, connections } = this.#session;
    const pong = new Promise<boolean>((resolve) => {
      control.addEventListener('message', () => resolve(true), { once: true });
      control.addEventListener('close', () => resolve(false), { once: true });
      setTimeout(() => resolve(false), silenceMs);
    });
    try {
      (onBulk ? bulk : control).send(bytes);
      control.send(ping);
      if (await pong) return;
    } catch {
      // It was cut off already by what was said on the other stream.
    }
    this.#session = undefined;
    for (const connection of connections) connection.abort(new Error('said'));
  }

  /** Tries until it is let in: it says wild things, but it is a member. */
  async #join(): Promise<Session> {
    for (;;) {
      const connections: Connection[] = [];
      try {
        const control = await this.#dial(connections, '/eddy/control/2');
        const answered = new Promise<void>((resolve, reject) => {
          control.addEventListener('message', () => resolve(), { once: true });
          control.addEventListener('close', () => reject(new Error('refused')), { once: true });
        });
        control.send(this.#hello);
        await answered;
        return { control, bulk: await this.#dial(connections, '/eddy/bulk/2'), connections };
      } catch {
        for (const connection of connections) connection.abort(new Error('again'));
        await sleep(againMs);
      }
    }
  }

  async #dial(connections: Connection[], protocol: string): Promise<Stream> {
    const connection = await this.#host.dial(multiaddr(node.peers[0] ?? ''), { force: true });
    connections.push(connection);
    return connection.newStream([protocol]);
  }

  async leave(): Promise<void> {
    await this.#host.stop();
  }
}

async function isWell(): Promise<void> {
  expect(isRunning(node)).toBe(true);
  const path = coldPath(`well-${performance.now()}`);
  const fetched = await fetchChecked(node.http, path, { agent: false, known: new KnownBytes(), media: cellMedia });
  expect(fetched.fault).toBeUndefined();
}

it(`${count} wild things that members say (seed ${fuzzSeed}) neither end a node nor make it grow`, async () => {
  console.log(`peer protocol: EDDY_FUZZ_SEED=${fuzzSeed} EDDY_FUZZ_COUNT=${count}`);
  const own = await openCell(cell.name, await readFile(cell.keyFile, 'utf8'));
  const wild = await Promise.all(Array.from({ length: atOnce }, () => WildMember.join(own)));
  const cases = fc.sample(fc.tuple(wildFrames, fc.boolean()), { seed: fuzzSeed, numRuns: count + warmUp });
  const sayAll = (some: typeof cases) =>
    Promise.all(
      wild.map(async (member, i) => {
        for (let at = i; at < some.length; at += atOnce) await member.say(...(some[at] as (typeof some)[number]));
      }),
    );
  try {
    await sayAll(cases.slice(0, warmUp));
    const before = await metric(node, 'process_resident_memory_bytes');
    await sayAll(cases.slice(warmUp));
    const grownBytes = (await metric(node, 'process_resident_memory_bytes')) - before;
    console.log(`grown by ${Math.round(grownBytes / 1e6)} MB`);
    expect(grownBytes).toBeLessThan(64e6);
    // Whom they invented it may know of, within bounds; it holds nothing open for them.
    expect((await peersOf(node)).length).toBeLessThanOrEqual(256);
    expect((await peersOf(node)).filter(({ state }) => state === 'quarantined')).toEqual([]);
    await isWell();
  } finally {
    await Promise.all(wild.map((member) => member.leave()));
  }
}, 600_000);
