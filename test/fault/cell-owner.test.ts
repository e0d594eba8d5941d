import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CellNode, ProcessCell } from '../support/cell.ts';
import { Audience } from '../support/cell-audience.ts';
import { type Fetched, fetchChecked } from '../support/cell-fetch.ts';
import { coldPath, faultMedia, patienceMs } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';

const nodes = 4;
const viewersEach = 4;
let origin: CellOrigin;
let cell: ProcessCell;
let audience: Audience<CellNode>;

beforeAll(async () => {
  origin = await CellOrigin.start({ media: faultMedia });
  cell = await ProcessCell.start(nodes, ['--origin', origin.url]);
  audience = new Audience({ media: faultMedia, open: () => cell.running });
  for (const node of cell.nodes) audience.watchLive(node, viewersEach);
}, 60_000);

afterAll(async () => {
  await audience?.stop();
  await cell?.close();
  origin?.close();
});

/** A segment that one node is responsible for, asked for at all the others at once. */
function readElsewhere(owner: CellNode, path: string): Promise<readonly Fetched[]> {
  const { known } = audience;
  const others = cell.running.filter((node) => node !== owner);
  return Promise.all(
    others.flatMap(({ http }) =>
      Array.from({ length: viewersEach }, () => fetchChecked(http, path, { agent: false, known, media: faultMedia })),
    ),
  );
}

/** Resolves once the origin has sent that much of it. */
async function sent(path: string, bytes: number): Promise<void> {
  await expect
    .poll(async () => (await origin.count(path)).bodyBytes, { interval: 10, timeout: patienceMs })
    .toBeGreaterThan(bytes);
}

function expectWhole(all: readonly Fetched[]): void {
  expect(all.map(({ fault }) => fault).filter((fault) => fault !== undefined)).toEqual([]);
  expect(Math.max(...all.map(({ wholeMs }) => wholeMs))).toBeLessThan(faultMedia.segmentMs);
}

async function fetches(path: string): Promise<number> {
  return (await origin.count(path)).bodyBytes / faultMedia.segmentBytes;
}

/** A segment that takes a second to come from the origin. */
async function slowSegment(
  owner: CellNode,
  name: string,
): Promise<{ path: string; read: Promise<readonly Fetched[]> }> {
  await origin.set({ bytesPerSecond: faultMedia.segmentBytes });
  const path = cell.pathOf(owner, (i) => coldPath(`${name}-${i}`));
  const read = readElsewhere(owner, path);
  await sent(path, faultMedia.segmentBytes / 3);
  return { path, read };
}

it('an owner that freezes in the middle of a segment is passed over, and comes back', async () => {
  const owner = cell.nodes[0] as CellNode;
  const { path, read } = await slowSegment(owner, 'frozen');
  audience.excuse(owner);
  cell.freeze(owner);
  await origin.set({ bytesPerSecond: 0 });
  expectWhole(await read);
  expect(await fetches(path)).toBeLessThanOrEqual(nodes);
  cell.thaw(owner);
  await cell.met();
  audience.unexcuse(owner);
});

it('an owner that freezes before it says a word is passed over by all together', async () => {
  const owner = cell.nodes[0] as CellNode;
  audience.excuse(owner);
  cell.freeze(owner);
  const path = cell.pathOf(owner, (i) => coldPath(`silent-${i}`));
  expectWhole(await readElsewhere(owner, path));
  // One, by the node that comes next; two where a busy machine kept that one silent for as long.
  expect(await fetches(path)).toBeLessThan(nodes - 1);
  cell.thaw(owner);
  await cell.met();
  audience.unexcuse(owner);
});

it('an owner that is killed in the middle of a segment is replaced without a viewer noticing', async () => {
  const owner = cell.nodes[1] as CellNode;
  const { path, read } = await slowSegment(owner, 'killed');
  audience.excuse(owner);
  await owner.kill();
  await origin.set({ bytesPerSecond: 0 });
  expectWhole(await read);
  expect(await fetches(path)).toBeLessThanOrEqual(nodes);
  const again = await cell.restart(owner);
  await cell.met();
  audience.watchLive(again, viewersEach);
});

it('all that while nobody saw a wrong byte, an error, or a segment that took longer than it plays', async () => {
  await audience.stop();
  expect(audience.faults).toEqual([]);
  expect(audience.late).toEqual([]);
  expect(audience.fetches).toBeGreaterThan(50);
  const amplification = (await origin.count('/live/')).bodyBytes / audience.uniqueBytes('/live/');
  // At most 1.5 where there is a processor to be had: npm run bench -- --only storm.
  expect(amplification).toBeLessThan(nodes - 1);
});
