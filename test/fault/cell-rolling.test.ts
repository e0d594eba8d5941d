import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CellNode, ProcessCell } from '../support/cell.ts';
import { Audience } from '../support/cell-audience.ts';
import { type Fetched, fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, patienceMs } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';

const viewersEach = 3;
let origin: CellOrigin;
let cell: ProcessCell;
let audience: Audience<CellNode>;
/** Nodes that a load balancer sends nobody to: about to be restarted. */
const resting = new Set<CellNode>();

beforeAll(async () => {
  origin = await CellOrigin.start();
  cell = await ProcessCell.start(3, ['--origin', origin.url]);
  audience = new Audience({ media: cellMedia, open: () => cell.running.filter((node) => !resting.has(node)) });
  for (const node of cell.nodes) audience.watchLive(node, viewersEach);
}, 60_000);

afterAll(async () => {
  await audience?.stop();
  await cell?.close();
  origin?.close();
});

const fetchesOf = async (path: string) => (await origin.count(path)).bodyBytes / cellMedia.segmentBytes;

/** A segment that one node is responsible for and takes two seconds to get, read at all the others. */
async function readAt(others: readonly CellNode[], path: string): Promise<Promise<readonly Fetched[]>> {
  await origin.set({ bytesPerSecond: cellMedia.segmentBytes / 2 });
  const { known } = audience;
  const read = Promise.all(
    others.map(({ http }) => fetchChecked(http, path, { agent: false, known, media: cellMedia })),
  );
  await expect
    .poll(async () => (await origin.count(path)).bodyBytes, { interval: 10, timeout: patienceMs })
    .toBeGreaterThan(cellMedia.segmentBytes / 8);
  await origin.set({ bytesPerSecond: 0 });
  return read;
}

it('nodes of a cell are restarted one after the other: nothing fails, and what they give is finished', async () => {
  for (const node of [...cell.nodes]) {
    const others = cell.running.filter((each) => each !== node);
    const path = cell.pathOf(node, (i) => coldPath(`${node.peerId}-${i}`));
    const read = await readAt(others, path);
    resting.add(node);
    // Its viewers go elsewhere at their next request; one that is told to close is no failure.
    audience.excuse(node);
    const stopped = node.stop();
    for (const other of others)
      await cell.sees(other, (peers) =>
        peers.some(({ peerId, state, reason }) => peerId === node.peerId && state === 'down' && /drain/.test(reason)),
      );
    // Still there: what it was giving comes to its end, and nobody fetched it again.
    const isGiving = node.process.exitCode === null;
    const results = await read;
    expect(results.map(({ fault }) => fault)).toEqual([undefined, undefined]);
    expect(isGiving).toBe(true);
    expect(await fetchesOf(path)).toBeLessThan(1.01);
    // New things of the drained node's have another owner at once.
    const next = cell.pathOf([node, ...others], (i) => coldPath(`next-${node.peerId}-${i}`));
    const { known } = audience;
    const fetched = others.map(({ http }) => fetchChecked(http, next, { agent: false, known, media: cellMedia }));
    expect((await Promise.all(fetched)).map(({ fault }) => fault)).toEqual([undefined, undefined]);
    expect(await fetchesOf(next)).toBeLessThan(1.01);
    expect(await stopped).toBe(0);
    const again = await cell.restart(node);
    await cell.met();
    expect(again.peerId).toBe(node.peerId);
    audience.watchLive(again, viewersEach);
  }
  const before = [(await origin.count('/live/seg')).bodyBytes, audience.uniqueBytes('/live/seg')] as const;
  await audience.stop();
  expect(audience.faults).toEqual([]);
  expect(audience.excusedFaults).toBe(0);
  expect(audience.fetches).toBeGreaterThan(50);
  // One more fetch for each of the three at most, of the segments that were under way.
  const more = (before[0] - before[1]) / cellMedia.segmentBytes;
  expect(more).toBeLessThanOrEqual(3);
}, 120_000);
