import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProcessCell } from '../support/cell.ts';
import { type Fetched, fetchChecked } from '../support/cell-fetch.ts';
import { coldPath, faultMedia, KnownBytes } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { type LyingMember, startLyingMember } from '../support/lying-member.ts';

const viewersEach = 2;
const known = new KnownBytes();
let origin: CellOrigin;
let cell: ProcessCell;
let liar: LyingMember;

beforeAll(async () => {
  origin = await CellOrigin.start({ media: faultMedia });
  cell = await ProcessCell.start(2, ['--origin', origin.url]);
  liar = await startLyingMember(cell, 'none');
}, 60_000);

afterAll(async () => {
  liar?.close();
  await cell?.close();
  origin?.close();
});

const liarsPath = (name: string) => cell.pathOf([liar], (i) => coldPath(`${name}-${i}`));
const view = (http: string, path: string, range?: { first: number; last: number }) =>
  fetchChecked(http, path, { agent: false, known, media: faultMedia, range });

/** Read by viewers of both nodes at once; all whole and right. */
async function everywhere(path: string): Promise<readonly Fetched[]> {
  const all = await Promise.all(
    cell.nodes.flatMap(({ http }) => Array.from({ length: viewersEach }, () => view(http, path))),
  );
  expect(all.map(({ fault }) => fault).filter((fault) => fault !== undefined)).toEqual([]);
  expect(Math.max(...all.map(({ wholeMs }) => wholeMs))).toBeLessThan(faultMedia.segmentMs);
  return all;
}

async function fetches(path: string): Promise<number> {
  return (await origin.count(path)).bodyBytes / faultMedia.segmentBytes;
}

it('a member that keeps to the rules is believed', async () => {
  const path = liarsPath('honest');
  await everywhere(path);
  expect((await liar.tell({})).asked).toBeGreaterThanOrEqual(1);
  expect(await fetches(path)).toBeLessThan(cell.nodes.length);
});

it('a member that claims what it has not is a miss, and the owner is asked', async () => {
  const claims = Array.from({ length: 15 }, (_, n) => cell.pathOf(cell.nodes, (i) => coldPath(`claimed-${n}-${i}`)));
  const { asked } = await liar.tell({ lie: 'claims', claims });
  const wasAsked = async () => (await liar.tell({})).asked > asked;
  // Digests are told once a second, and nobody says when they have come.
  for (const path of claims) {
    await everywhere(path);
    // One, unless the machine is so busy that a responsible node is late.
    expect(await fetches(path)).toBeLessThanOrEqual(cell.nodes.length);
    if (await wasAsked()) return;
    await sleep(1_000);
  }
  expect.unreachable('nobody asked the member for what it claims');
});

it('a responsible member that has nothing after all costs one fetch for each node that asks', async () => {
  const path = liarsPath('nothing');
  await liar.tell({ lie: 'claims' });
  await everywhere(path);
  expect(await fetches(path)).toBeLessThanOrEqual(cell.nodes.length);
});

it('a member that gives an old version under its old validator does not get it into the new one', async () => {
  await origin.set({ version: 2 });
  await liar.tell({ version: 2, lie: 'none' });
  const path = liarsPath('old');
  const [node] = cell.nodes;
  const { etag } = await view(node?.http ?? '', path, { first: 0, last: 99_999 });
  expect(etag).toBe('"v2"');
  await liar.tell({ lie: 'old-version' });
  const whole = await view(node?.http ?? '', path);
  expect(whole).toMatchObject({ status: 200, etag: '"v2"', bytes: faultMedia.segmentBytes, fault: undefined });
  await everywhere(path);
});

it('a member that gives 20 KB/s is overtaken', async () => {
  const path = liarsPath('slow');
  await liar.tell({ lie: 'slow' });
  await everywhere(path);
  expect(await fetches(path)).toBeLessThanOrEqual(cell.nodes.length);
});

it('a member that flips a byte is found out by the digest of the origin before anybody sees it, and quarantined', async () => {
  await origin.set({ reprDigest: true });
  await liar.tell({ lie: 'flips', reprDigest: true });
  await everywhere(liarsPath('flipped'));
  for (const node of cell.nodes)
    await cell.sees(node, (peers) =>
      peers.some(({ peerId, state }) => peerId === liar.peerId && state === 'quarantined'),
    );
});
