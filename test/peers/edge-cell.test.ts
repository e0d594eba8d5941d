import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CellNode, metric, ProcessCell } from '../support/cell.ts';
import {
  assertPattern,
  type OriginResource,
  type OriginRoutes,
  patternBytes,
  resourceSeed,
  startOrigin,
  type TestOrigin,
} from '../support/origin.ts';
import { view } from '../support/viewer.ts';

const segmentLength = 600_000;
const cacheable = { 'Cache-Control': 'max-age=3600' };
const routes: OriginRoutes = {};
let origin: TestOrigin;
let cell: ProcessCell;

beforeAll(async () => {
  origin = await startOrigin(routes);
  cell = await ProcessCell.start(4, ['--origin', origin.url]);
});

afterAll(async () => {
  await cell?.close();
  await origin?.close();
});

/** A resource at a path of which that node is the owner. */
function resource(owner: CellNode, name: string, about: Partial<OriginResource> = {}): string {
  const path = cell.pathOf(owner, (i) => `/${name}-${i}.m4s`);
  routes[path] = { length: segmentLength, fields: cacheable, ...about };
  return path;
}

function node(index: number): CellNode {
  const found = cell.nodes[index];
  if (found === undefined) throw new Error(`no node ${index}`);
  return found;
}

const everywhere = (path: string, each = 3) =>
  Promise.all(cell.nodes.flatMap(({ http }) => Array.from({ length: each }, () => view(http + path))));

describe('a cell of processes', () => {
  it('fetches a cold segment once from the origin, however many nodes and viewers want it at once', async () => {
    for (const owner of [node(0), node(3)]) {
      const path = resource(owner, 'cold');
      for (const { status, body } of await everywhere(path)) {
        expect(status).toBe(200);
        expect(body.length).toBe(segmentLength);
        assertPattern(body, resourceSeed(path), 0);
      }
      expect(origin.count(path)).toBe(1);
      expect(origin.sent(path)).toBe(segmentLength);
    }
  });

  it('does so while the segment is still being made, and streams it on as it comes', async () => {
    const path = cell.pathOf(node(1), (i) => `/live-${i}.m4s`);
    const finish = Promise.withResolvers<void>();
    routes[path] = (_request, response) => {
      response.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Type': 'video/mp4' });
      response.write(patternBytes(path, 0, 50_000));
      void finish.promise.then(() => response.end(patternBytes(path, 50_000, 50_000)));
    };
    const responses = await Promise.all(cell.nodes.flatMap(({ http }) => [fetch(http + path), fetch(http + path)]));
    const readers = responses.map(({ body }) => body?.getReader());
    // Everybody has the beginning before the origin has the end.
    const firsts = await Promise.all(readers.map((reader) => reader?.read()));
    finish.resolve();
    for (const [i, reader] of readers.entries()) {
      const parts = [Buffer.from(firsts[i]?.value ?? [])];
      for (let next = await reader?.read(); next?.done === false; next = await reader?.read())
        parts.push(Buffer.from(next.value));
      const body = Buffer.concat(parts);
      expect(body.length).toBe(100_000);
      assertPattern(body, path, 0);
    }
    expect(origin.count(path)).toBe(1);
  });

  it('says that a peer gave it, and counts it', async () => {
    const path = resource(node(0), 'said');
    const before = await metric(node(2), 'eddy_peer_body_bytes_total', 'direction="in"');
    const { headers, body } = await view(node(2).http + path);
    expect(body.length).toBe(segmentLength);
    expect(headers['cache-status']).toMatch(/^eddy; fwd=miss;.*detail=peer/);
    expect(await metric(node(2), 'eddy_peer_body_bytes_total', 'direction="in"')).toBe(before + segmentLength);
    expect(await metric(node(2), 'eddy_served_body_bytes_total', 'tier="peer"')).toBeGreaterThanOrEqual(segmentLength);
    expect(await metric(node(2), 'eddy_peers', 'state="up"')).toBe(3);
    const { headers: again } = await view(node(2).http + path);
    expect(again['cache-status']).toMatch(/^eddy; hit;.*detail=ram/);
  });

  it('gives ranges of a file, each byte of it fetched once', async () => {
    const length = 9_000_000;
    const path = resource(node(1), 'file', { length });
    const ranges = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => [i * 1_000_000, i * 1_000_000 + 999_999] as const);
    await Promise.all(
      cell.nodes.map(async ({ http }) => {
        for (const [first, last] of ranges) {
          const { status, body } = await view(http + path, { headers: { range: `bytes=${first}-${last}` } });
          expect(status).toBe(206);
          expect(body.length).toBe(last - first + 1);
          assertPattern(body, resourceSeed(path), first);
        }
      }),
    );
    expect(origin.sent(path)).toBeLessThanOrEqual(length * 1.05);
  });

  it('validates once', async () => {
    const path = resource(node(0), 'stale', { length: 2_000, fields: { 'Cache-Control': 'max-age=0' } });
    await view(node(3).http + path);
    const { status, body } = await view(node(3).http + path, { headers: { 'if-none-match': '"v1"' } });
    expect([status, body.length]).toEqual([304, 0]);
    expect(origin.requests.filter((each) => each.path === path).map(({ sent }) => sent)).toEqual([2_000, 0]);
  });

  it('never gives or asks for what is private', async () => {
    const secret = resource(node(0), 'private', { length: 1_000, fields: { 'Cache-Control': 'private, max-age=60' } });
    await view(node(1).http + secret);
    // Once to learn it, once for the viewer; after that the cell is left alone.
    expect(origin.count(secret)).toBe(2);
    await view(node(1).http + secret);
    await view(node(2).http + secret);
    expect(origin.count(secret)).toBe(4);
    const ours = resource(node(0), 'authorized', { length: 1_000 });
    const asked = await metric(node(1), 'eddy_peer_requests_total', 'direction="out"');
    await view(node(1).http + ours, { headers: { authorization: 'Bearer 1' } });
    expect(await metric(node(1), 'eddy_peer_requests_total', 'direction="out"')).toBe(asked);
  });

  it('never gives a content key', async () => {
    for (const [name, length] of [
      ['aes', 16],
      ['other.key', 40],
    ] as const) {
      const path = cell.pathOf(node(0), (i) => `/${i}/${name}`);
      routes[path] = { length, fields: cacheable, contentType: 'application/octet-stream' };
      await view(node(0).http + path);
      const { headers, body } = await view(node(1).http + path);
      expect(body.length).toBe(length);
      expect(headers['cache-status']).toMatch(/detail=origin/);
    }
  });

  it.each(['url', 'prefix', 'tag', 'all'])('forgets at all nodes what one is told to (%s)', async (kind) => {
    const fields = { ...cacheable, 'Cache-Tag': 'purged' };
    const path = resource(node(0), `purged-${kind}`, { fields });
    await everywhere(path, 1);
    routes[path] = { length: segmentLength, fields, version: 2 };
    const which = { url: path, prefix: path.slice(0, -5), tag: 'purged', all: true }[kind];
    const body = JSON.stringify({ [kind]: which });
    // Not the owner: a member that was not told gives what it has.
    const answer = await fetch(`${node(1).admin}/api/purge`, { method: 'POST', body });
    expect(((await answer.json()) as { purged: number }).purged).toBeGreaterThan(0);
    for (const { http } of [node(1), ...cell.nodes])
      assertPattern((await view(http + path)).body, resourceSeed(path, 2), 0);
    expect(origin.count(path)).toBe(2);
  });

  it('after an unsafe request does not take the word of a member for what it has', async () => {
    const path = resource(node(0), 'unsafe');
    await everywhere(path, 1);
    await view(node(1).http + path, { method: 'DELETE' });
    routes[path] = { length: segmentLength, fields: cacheable, version: 2 };
    assertPattern((await view(node(1).http + path)).body, resourceSeed(path, 2), 0);
  });

  it('has what an unsafe request changed validated at all nodes', async () => {
    const path = resource(node(0), 'changed');
    await everywhere(path, 1);
    routes[path] = { length: segmentLength, fields: cacheable, version: 2 };
    await view(node(1).http + path, { method: 'POST' });
    for (const { http } of cell.nodes)
      await expect.poll(async () => (await view(http + path)).headers['etag']).toBe('"v2"');
    for (const { http } of cell.nodes) assertPattern((await view(http + path)).body, resourceSeed(path, 2), 0);
  });

  it('drains in the middle of it all', async () => {
    const leaving = await cell.add();
    await cell.met();
    const path = cell.pathOf(leaving, (i) => `/leaving-${i}.m4s`);
    routes[path] = { length: segmentLength, fields: cacheable, bytesPerSecond: 1_200_000 };
    const viewed = view(node(1).http + path);
    cell.nodes.splice(cell.nodes.indexOf(leaving), 1);
    expect(await leaving.stop()).toBe(0);
    const { body } = await viewed;
    expect(body.length).toBe(segmentLength);
    assertPattern(body, resourceSeed(path), 0);
  });

  it('gives what it holds while the origin is down', async () => {
    const path = resource(node(0), 'held');
    await view(node(0).http + path);
    await origin.close();
    for (const { http } of cell.nodes) {
      const { status, body } = await view(http + path);
      expect(status).toBe(200);
      assertPattern(body, resourceSeed(path), 0);
    }
    origin = await startOrigin(routes);
  });
});
