import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { groupOf, Placement } from '../../src/peers/members/placement.ts';
import type { PeerPlaneOptions } from '../../src/peers/plane.ts';
import { assertPattern, patternBytes } from '../support/pattern.ts';
import { keyOf } from '../support/peer-options.ts';
import { answerOf, bytesOf, get, TestCell, type TestNode } from '../support/peers.ts';
import { removeTree } from '../support/remove-tree.ts';
import { soon } from '../support/until.ts';

const script = fileURLToPath(new URL('../support/peer-child.ts', import.meta.url));
const never = new AbortController().signal;
const cell = new TestCell();
const children: ChildProcess[] = [];
const directories: string[] = [];

afterEach(async () => {
  await Promise.all(
    children.splice(0).map(async (child) => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }),
  );
  await cell.close();
  await Promise.all(directories.splice(0).map((directory) => removeTree(directory)));
});

interface Child {
  readonly process: ChildProcess;
  readonly peerId: string;
}

/** A member in a process of its own, linked to a node in this one. */
async function pair(options: Partial<PeerPlaneOptions> = {}): Promise<{ here: TestNode; there: Child }> {
  const directory = await mkdtemp(join(tmpdir(), 'eddy-peer-'));
  directories.push(directory);
  const here = await cell.start(options);
  const process_ = spawn(process.execPath, [script, directory, here.plane.addresses[0] ?? ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(process_);
  const [line] = await once(createInterface({ input: process_.stdout }), 'line');
  await soon(() => expect(here.plane.peers()).toMatchObject([{ state: 'up' }]));
  return { here, there: { process: process_, peerId: JSON.parse(line).peerId } };
}

/** A target that these are responsible for, in that order. */
function targetOf(members: readonly { readonly peerId: string }[], prefix: string): string {
  const placement = new Placement(members.map(({ peerId }) => ({ peerId, weight: 1 })));
  for (let i = 0; ; i++) {
    const target = `${prefix}-${i}`;
    const order = placement.order(groupOf(keyOf({ map: 'm', target }), 0));
    if (members.every(({ peerId }, at) => order[at] === peerId)) return target;
  }
}

describe('a peer in another process', () => {
  it('gives the right bytes', async () => {
    const nodes = await pair();
    const target = targetOf([nodes.there, nodes.here.plane], '/whole');
    const bytes = await bytesOf(await nodes.here.plane.supplier.supply(get(target), { signal: never }));
    expect(bytes.length).toBe(2_000_000);
    assertPattern(bytes, target, 0);
  });

  it('that is killed in the middle breaks the body at once', async () => {
    const nodes = await pair();
    const target = targetOf([nodes.there, nodes.here.plane], '/held');
    const supply = await nodes.here.plane.supplier.supply(get(target), { signal: never });
    let received = 0;
    const reading = (async () => {
      for await (const bytes of supply?.body ?? []) {
        assertPattern(bytes, target, received);
        received += bytes.length;
        if (received === 1_000_000) nodes.there.process.kill('SIGKILL');
      }
    })();
    await expect(reading).rejects.toMatchObject({ side: 'peer', failure: 'broken' });
    expect(received).toBe(1_000_000);
    expect(nodes.here.plane.peers()).toMatchObject([{ state: 'suspect' }]);
  });

  it('that is killed in the middle is continued by the origin', async () => {
    const asked: string[] = [];
    const nodes = await pair({
      origin: {
        name: 'origin',
        supply: async ({ target, fields }) => {
          asked.push(fields.get('range') ?? '');
          const body = (async function* () {
            yield patternBytes(target, 1_000_000, 1_000_000);
          })();
          const head = Fields.of({ etag: '"v1"', 'content-range': 'bytes 1000000-1999999/2000000' });
          return { source: 'origin', status: 206, fields: head, body, requestTimeMs: 0, responseTimeMs: 0 };
        },
      },
    });
    const target = targetOf([nodes.there, nodes.here.plane], '/held');
    const supply = await nodes.here.plane.supplier.supply(get(target), { signal: never });
    const parts: Buffer[] = [];
    let received = 0;
    for await (const bytes of supply?.body ?? []) {
      parts.push(bytes);
      received += bytes.length;
      if (received === 1_000_000) nodes.there.process.kill('SIGKILL');
    }
    expect(received).toBe(2_000_000);
    assertPattern(Buffer.concat(parts), target, 0);
    expect(asked).toEqual(['bytes=1000000-1999999']);
  });

  it('that freezes is passed over within its deadline, and comes back', async () => {
    const nodes = await pair();
    const { here, there } = nodes;
    // What it usually takes decides; of a peer never asked nothing is known.
    await bytesOf(
      await here.plane.supplier.supply(get(targetOf([nodes.there, nodes.here.plane], '/known')), { signal: never }),
    );
    there.process.kill('SIGSTOP');
    // It never answers: without a deadline this would not either.
    expect(
      await here.plane.supplier.supply(get(targetOf([nodes.there, nodes.here.plane], '/frozen')), { signal: never }),
    ).toBeUndefined();
    await soon(() => expect(here.plane.peers()).toMatchObject([{ state: 'suspect' }]));
    there.process.kill('SIGCONT');
    await soon(() => expect(here.plane.peers()).toMatchObject([{ state: 'up' }]));
    const target = targetOf([nodes.there, nodes.here.plane], '/thawed');
    assertPattern(await bytesOf(await here.plane.supplier.supply(get(target), { signal: never })), target, 0);
  });

  it('that freezes is passed over by all who ask it together', async () => {
    const nodes = await pair();
    const { here: known, there } = nodes;
    const next = await cell.start();
    await soon(() => expect(next.plane.peers()).toMatchObject([{ state: 'up' }, { state: 'up' }]));
    const bytes = patternBytes('next', 0, 100_000);
    const events: string[] = [];
    next.source.answer = async () => {
      await turn();
      events.push('answers');
      return answerOf(bytes);
    };
    const [asked, warm] = ['/frozen', '/known'].map((prefix) => targetOf([there, next.plane, known.plane], prefix));
    // Who knows how fast it was gives up sooner than who comes next and has never asked it.
    await bytesOf(await known.plane.supplier.supply(get(warm ?? ''), { signal: never }));
    there.process.kill('SIGSTOP');
    const supplied = known.plane.supplier.supply(get(asked ?? ''), { signal: never });
    expect(await next.plane.supplier.supply(get(asked ?? ''), { signal: never })).toBeUndefined();
    events.push('gave up');
    expect((await bytesOf(await supplied)).equals(bytes)).toBe(true);
    expect(events).toEqual(['gave up', 'answers']);
    expect(known.outcomes).toEqual(['out have', 'out timeout', 'out pending']);
  });

  it('that freezes in the middle breaks the body off', async () => {
    const nodes = await pair();
    const supply = await nodes.here.plane.supplier.supply(get(targetOf([nodes.there, nodes.here.plane], '/held')), {
      signal: never,
    });
    let received = 0;
    const reading = (async () => {
      for await (const bytes of supply?.body ?? []) {
        received += bytes.length;
        if (received >= 1_000_000) nodes.there.process.kill('SIGSTOP');
      }
    })();
    await expect(reading).rejects.toMatchObject({ side: 'peer', failure: 'timeout' });
  });
});
