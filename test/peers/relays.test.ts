import { multiaddr } from '@multiformats/multiaddr';
import { afterEach, describe, expect, it } from 'vitest';
import { passingIdentity } from '../../src/peers/cell/identity.ts';
import { startHost } from '../../src/peers/transport/host.ts';
import { patternBytes } from '../support/pattern.ts';
import { plainHost } from '../support/peer-options.ts';
import { answerOf, bytesOf, TestCell, type TestNode } from '../support/peers.ts';
import { soon } from '../support/until.ts';

const cell = new TestCell();
const never = new AbortController().signal;

afterEach(() => cell.close());

/** Two nodes that nobody can dial, and one that relays, all of them linked. */
async function relayed(bytesPerSecond = Number.POSITIVE_INFINITY): Promise<[TestNode, TestNode, TestNode]> {
  const relay = await cell.start({ relay: { bytesPerSecond } });
  const [a, b] = [await cell.start({ listen: [] }), await cell.start({ listen: [] })];
  await cell.met(2);
  return [relay, a, b];
}

const peerAt = (node: TestNode, { plane }: TestNode) =>
  node.plane.peers().find(({ peerId }) => peerId === plane.peerId);

describe('members that cannot be dialled', () => {
  it('reach each other through a member that relays, and exchange bytes', async () => {
    const [relay, a, b] = await relayed();
    expect(peerAt(a, b)).toMatchObject({ state: 'up', connection: 'relayed', relay: relay.plane.peerId });
    expect(peerAt(b, a)).toMatchObject({ state: 'up', connection: 'relayed', relay: relay.plane.peerId });
    expect(peerAt(a, relay)).toMatchObject({ state: 'up', connection: 'direct', relay: null });
    const bytes = patternBytes('relayed', 0, 3_000_000);
    b.source.answer = async () => answerOf(bytes);
    const supply = await a.plane.supplier.supply(cell.requestFor(2, 0, 1), { signal: never });
    expect((await bytesOf(supply)).equals(bytes)).toBe(true);
    expect(relay.bytes).toEqual({ in: 0, out: 0 });
    expect(b.bytes.out).toBe(bytes.length);
  });

  it('get no more through it than it allows, and still the right bytes', async () => {
    const bytesPerSecond = 2 * 1024 * 1024;
    const [, a, b] = await relayed(bytesPerSecond);
    const bytes = patternBytes('slow', 0, 4_000_000);
    b.source.answer = async () => answerOf(bytes);
    const startedMs = performance.now();
    const supply = await a.plane.supplier.supply(cell.requestFor(2, 0, 1), { signal: never });
    expect((await bytesOf(supply)).equals(bytes)).toBe(true);
    // Half of it at least is not what may go at once.
    expect(performance.now() - startedMs).toBeGreaterThan((500 * bytes.length) / bytesPerSecond);
  });

  it('leave the relay as soon as one of them can be dialled, and what is under way is not broken off', async () => {
    const relay = await cell.start({ relay: { bytesPerSecond: Number.POSITIVE_INFINITY } });
    const a = await cell.start({ listen: [] });
    // It listens, and says that it is not reachable: so both ways are known.
    const b = await cell.start({ reachable: false });
    await soon(() => expect(peerAt(a, b)).toMatchObject({ state: 'up', connection: 'direct' }));
    expect(peerAt(b, a)).toMatchObject({ state: 'up', connection: 'direct' });
    expect(peerAt(a, relay)).toMatchObject({ connection: 'direct' });
  });

  it('are not relayed by who is no member with them, nor by who does not say that it relays', async () => {
    const plain = await cell.start();
    const [a, b] = [await cell.start({ listen: [] }), await cell.start({ listen: [] })];
    await soon(() => expect(plain.plane.peers().filter(({ state }) => state === 'up')).toHaveLength(2));
    const stranger = await startHost({
      ...(await passingIdentity()),
      listen: [],
      transport: 'direct',
      mdnsTag: undefined,
      ...plainHost(),
    });
    const relay = await cell.start({ relay: { bytesPerSecond: Number.POSITIVE_INFINITY } });
    await soon(() => expect(peerAt(a, b)).toMatchObject({ relay: relay.plane.peerId }));
    try {
      const [address = ''] = relay.plane.addresses;
      const through = `${address}/p2p-circuit/p2p/${b.plane.peerId}`;
      await stranger.dial(multiaddr(address));
      await expect(stranger.dial(multiaddr(through))).rejects.toThrow(/PERMISSION_DENIED|NO_RESERVATION|403|401|201/);
    } finally {
      await stranger.stop();
    }
  });

  it('go on without each other when the relay is gone', async () => {
    const [relay, a, b] = await relayed();
    await relay.plane.close();
    await soon(() => expect(peerAt(a, b)).toMatchObject({ connection: null }));
    expect(await a.plane.supplier.supply(cell.requestFor(2, 0, 1), { signal: never })).toBeUndefined();
  });
});
