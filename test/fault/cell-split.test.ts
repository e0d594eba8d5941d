import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellNode, ProcessCell } from '../support/cell.ts';
import { Audience } from '../support/cell-audience.ts';
import { faultMedia } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { SplitNetwork, skipsNamespaces } from '../support/split-network.ts';

const nodesEach = 2;
const viewersEach = 4;
const cutMs = 9_000;

describe.skipIf(skipsNamespaces())('a cell that is cut in two', () => {
  let network: SplitNetwork;
  let origin: CellOrigin;
  let cell: ProcessCell;
  let audience: Audience<CellNode>;

  beforeAll(async () => {
    network = await SplitNetwork.open();
    origin = await CellOrigin.start({ host: network.hostAddress, media: faultMedia });
    cell = await ProcessCell.start(0, ['--origin', origin.url]);
    for (const { address, peerAddress, within } of network.halves) {
      const args = ['--listen', `${address}:0`, '--admin', `${address}:0`];
      args.push('--peer-listen', `/ip4/${peerAddress}/tcp/0`);
      for (let i = 0; i < nodesEach; i++)
        await cell.add({ args, within, adminToken: 'the-halves-are-not-on-loopback' });
    }
    await cell.met();
    audience = new Audience({ media: faultMedia, open: () => cell.running });
    for (const node of cell.nodes) audience.watchLive(node, viewersEach);
  }, 60_000);

  afterAll(async () => {
    await audience?.stop();
    await cell?.close();
    origin?.close();
    await network?.close();
  });

  /** Origin bytes for each byte asked for while that runs, segments only. */
  async function amplificationWhile(work: () => Promise<void>): Promise<number> {
    const before = [(await origin.count('/live/seg')).bodyBytes, audience.uniqueBytes('/live/seg')] as const;
    await work();
    const fetched = (await origin.count('/live/seg')).bodyBytes - before[0];
    return fetched / Math.max(1, audience.uniqueBytes('/live/seg') - before[1]);
  }

  it('goes on as two cells, and becomes one again', async () => {
    const cut = await amplificationWhile(async () => {
      await network.cut();
      await sleep(cutMs);
    });
    const [first] = cell.nodes;
    const states = first === undefined ? [] : await cell.statesAt(first);
    expect(states.filter((state) => state === 'up')).toHaveLength(nodesEach - 1);
    // Two views of who is responsible: each half fetches for itself.
    expect(cut).toBeLessThan(cell.nodes.length);
    await network.heal();
    await cell.met();
    // One fetch for all again, as soon as what began before the halves met has ended.
    await expect
      .poll(() => amplificationWhile(() => sleep(2 * faultMedia.segmentMs)), { timeout: 30_000 })
      .toBeLessThanOrEqual(1.01);
    await audience.stop();
    expect(audience.faults).toEqual([]);
    expect(audience.late).toEqual([]);
    expect(audience.fetches).toBeGreaterThan(100);
  }, 90_000);
});
