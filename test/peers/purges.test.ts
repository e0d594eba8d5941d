import { afterEach, expect, it } from 'vitest';
import { type CellNode, ProcessCell } from '../support/cell.ts';
import { type OriginResource, startOrigin, type TestOrigin } from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const fields = { 'Cache-Control': 'max-age=3600' };
const routes: Record<string, OriginResource> = {};
let origin: TestOrigin;
let cell: ProcessCell;

afterEach(async () => {
  await cell.close();
  await origin.close();
});

const etagAt = async ({ http }: CellNode, path: string, headers = {}): Promise<string | undefined> =>
  (await view(http + path, { headers })).headers.etag;
const heldAt = (node: CellNode, path: string) => etagAt(node, path, { 'cache-control': 'only-if-cached' });

it('what was purged while a member was away it forgets when it is back, though all who knew began anew meanwhile', async () => {
  origin = await startOrigin(routes);
  cell = await ProcessCell.start(3, ['--origin', origin.url]);
  const [a, b, away] = cell.nodes;
  if (a === undefined || b === undefined || away === undefined) throw new Error('no nodes');
  const [purged, kept] = ['purged', 'kept'].map((name) => cell.pathOf(away, (i) => `/${name}-${i}.m4s`));
  if (purged === undefined || kept === undefined) throw new Error('no paths');
  for (const path of [purged, kept]) {
    routes[path] = { length: 10_000, fields };
    expect(await etagAt(away, path)).toBe('"v1"');
  }
  await away.stop();
  for (const path of [purged, kept]) routes[path] = { length: 10_000, fields, version: 2 };
  const body = JSON.stringify({ url: purged });
  expect((await fetch(`${a.admin}/api/purge`, { method: 'POST', body })).status).toBe(200);
  for (const node of [a, b]) {
    await node.stop();
    await cell.restart(node);
    await cell.met();
  }
  const back = await cell.restart(away);
  await cell.met();
  await expect.poll(() => etagAt(back, purged)).toBe('"v2"');
  expect(await heldAt(back, kept)).toBe('"v1"');
  // What it stored since is not forgotten when it was away again.
  await back.stop();
  const again = await cell.restart(back);
  await cell.met();
  expect(await heldAt(again, purged)).toBe('"v2"');
  expect(await heldAt(again, kept)).toBe('"v1"');
}, 60_000);
