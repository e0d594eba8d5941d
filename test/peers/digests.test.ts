import { afterEach, describe, expect, it } from 'vitest';
import { type CellNode, metric, ProcessCell } from '../support/cell.ts';
import { assertPattern, type OriginResource, resourceSeed, startOrigin, type TestOrigin } from '../support/origin.ts';
import { soon } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const routes: Record<string, OriginResource> = {};
let origin: TestOrigin | undefined;
let cell: ProcessCell | undefined;

afterEach(async () => {
  await cell?.close();
  await origin?.close();
});

async function start(nodes: number, args: readonly string[] = []): Promise<{ origin: TestOrigin; cell: ProcessCell }> {
  origin = await startOrigin(routes);
  cell = await ProcessCell.start(nodes, ['--origin', origin.url, ...args]);
  return { origin, cell };
}

describe('what a cell holds', () => {
  it('is not fetched again when the node that fetched it is killed', async () => {
    const started = await start(3);
    const [a, b, c] = started.cell.nodes;
    if (a === undefined || b === undefined || c === undefined) throw new Error('no nodes');
    const named = (name: string, { owners, length }: { owners: readonly CellNode[]; length: number }) =>
      Array.from({ length }, (_, i) => started.cell.pathOf(owners, (n) => `/${name}-${i}-${n}.m4s`));
    const paths = named('kept', { owners: [a], length: 12 });
    // Without a only a digest leads c to b for these.
    const later = named('later', { owners: [a, c, b], length: 20 });
    for (const path of [...paths, ...later]) {
      routes[path] = { length: 100_000, fields: { 'Cache-Control': 'max-age=3600' } };
      await view(b.http + path);
    }
    await a.kill();
    await soon(async () => expect(await metric(c, 'eddy_peers', 'state="up"')).toBe(1));
    const isFromPeer = async (path: string) =>
      /detail=peer/.test(String((await view(c.http + path)).headers['cache-status']));
    // Digests are told once a second, and nobody says when they have come: what was fetched last is in none before.
    await soon(async () => expect(await isFromPeer(later.pop() ?? '/none')).toBe(true), 1_000);
    for (const path of paths) {
      const { body, headers } = await view(c.http + path);
      expect(headers['cache-status']).toMatch(/detail=peer/);
      assertPattern(body, resourceSeed(path), 0);
      expect(started.origin.count(path)).toBe(1);
    }
  });

  it('is on the disk of its owner alone while it is cold, and on others once they ask for it again', async () => {
    const started = await start(2, ['--ram', '1MiB']);
    const [a, b] = started.cell.nodes;
    if (a === undefined || b === undefined) throw new Error('no nodes');
    const paths = Array.from({ length: 8 }, (_, i) => started.cell.pathOf(a, (n) => `/cold-${i}-${n}.m4s`));
    for (const path of paths) routes[path] = { length: 262_144, fields: { 'Cache-Control': 'max-age=3600' } };
    for (const path of paths) await view(b.http + path);
    await soon(async () => expect(await metric(a, 'eddy_store_pieces', 'disk')).toBe(paths.length));
    expect(await metric(b, 'eddy_store_pieces', 'disk')).toBe(0);
    for (const path of paths) await view(b.http + path);
    await soon(async () => expect(await metric(b, 'eddy_store_pieces', 'disk')).toBeGreaterThan(paths.length / 3));
    expect(started.origin.count()).toBe(paths.length);
  });
});
