import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellNode, ProcessCell, peersOf } from '../support/cell.ts';
import { Audience } from '../support/cell-audience.ts';
import { fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, patienceMs } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { SplitNetwork, skipsNamespaces } from '../support/split-network.ts';

const adminToken = 'the-halves-are-not-on-loopback';
const viewersEach = 2;
const files = 6;

describe.skipIf(skipsNamespaces())('two members in networks that nobody can dial into', () => {
  let network: SplitNetwork;
  let origin: CellOrigin;
  let cell: ProcessCell;
  let relay: CellNode;
  let a: CellNode;
  let b: CellNode;
  let audience: Audience<CellNode>;

  beforeAll(async () => {
    network = await SplitNetwork.open();
    // From now on they have the way out alone, and listen where nobody can knock.
    await network.cut();
    origin = await CellOrigin.start({ host: network.hostAddress });
    cell = await ProcessCell.start(0, ['--origin', origin.url]);
    const file = join(cell.directory, 'relay.yaml');
    await writeFile(file, 'peering: {relay: true, mdns: false}\n');
    const at = (host: string) => [
      '--listen',
      `${host}:0`,
      '--admin',
      `${host}:0`,
      '--ram',
      '64MiB',
      '--disk',
      '256MiB',
    ];
    const hidden = join(cell.directory, 'hidden.yaml');
    await writeFile(hidden, 'peering: {mdns: false}\n');
    const own = ['--config', file, ...at(network.hostAddress), '--peer-listen', `/ip4/${network.hostAddress}/tcp/4001`];
    relay = await cell.add({ args: own, adminToken });
    const [first, second] = network.halves.map(({ address, peerAddress, within }) => {
      const args = ['--config', hidden, ...at(address), '--peer-listen', `/ip4/${peerAddress}/tcp/0`];
      return cell.add({ args, within, adminToken });
    });
    [a, b] = [(await first) as CellNode, (await second) as CellNode];
    await cell.met();
    audience = new Audience({ media: cellMedia, open: () => cell.running });
    for (const node of cell.nodes) audience.watchLive(node, viewersEach);
  }, 90_000);

  afterAll(async () => {
    await audience?.stop();
    await cell?.close();
    origin?.close();
    await network?.close();
  });

  const wayTo = async (from: CellNode, to: CellNode) => {
    const found = (await peersOf(from)).find(({ peerId }) => peerId === to.peerId);
    return found as unknown as { state: string; connection: string | null; relay: string | null } | undefined;
  };

  it('reach each other through a third one: what one has the other gets, right, and the origin gives it once', async () => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      expect(await wayTo(from, to)).toMatchObject({ state: 'up', connection: 'relayed', relay: relay.peerId });
    expect(await wayTo(a, relay)).toMatchObject({ state: 'up', connection: 'direct', relay: null });
    for (let i = 0; i < files; i++) {
      const [owner, other] = i % 2 === 0 ? [a, b] : [b, a];
      const path = cell.pathOf([owner, relay, other], (j) => coldPath(`relayed-${i}-${j}`));
      const { known } = audience;
      const read = cell.nodes.map(({ http }) => fetchChecked(http, path, { agent: false, known, media: cellMedia }));
      expect((await Promise.all(read)).map(({ fault }) => fault)).toEqual([undefined, undefined, undefined]);
      expect((await origin.count(path)).bodyBytes / cellMedia.segmentBytes).toBe(1);
    }
    const given = (await peersOf(a)).find(({ peerId }) => peerId === b.peerId) as unknown as { bytesIn: number };
    expect(given.bytesIn).toBeGreaterThanOrEqual((files / 2) * cellMedia.segmentBytes);
  }, 60_000);

  it('go on from the origin when the third one is killed', async () => {
    audience.excuse(relay);
    await relay.kill();
    await cell.sees(a, (peers) => peers.every(({ state }) => state !== 'up'));
    await cell.sees(b, (peers) => peers.every(({ state }) => state !== 'up'));
    for (const { http } of [a, b]) {
      const { known } = audience;
      const fetched = await fetchChecked(http, coldPath('alone'), { agent: false, known, media: cellMedia });
      expect(fetched.fault).toBeUndefined();
    }
    expect(audience.faults).toEqual([]);
  }, 60_000);

  it('meet again when it is back, and drop it once there is a direct way', async () => {
    relay = await cell.restart(relay);
    await cell.met();
    expect(await wayTo(a, b)).toMatchObject({ connection: 'relayed' });
    await network.heal();
    await expect.poll(() => wayTo(a, b), { timeout: 60_000 }).toMatchObject({ connection: 'direct', state: 'up' });
    await audience.stop();
    expect(audience.faults).toEqual([]);
    expect(Math.max(...audience.wholeMs)).toBeLessThan(patienceMs);
    expect(audience.fetches).toBeGreaterThan(30);
  }, 120_000);
});
