import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CellNode, metric, ProcessCell, peersOf } from '../support/cell.ts';
import { fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, KnownBytes } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { startEddy } from '../support/eddy.ts';
import { removeTree } from '../support/remove-tree.ts';

const known = new KnownBytes();
let origin: CellOrigin;
let cell: ProcessCell;

beforeAll(async () => {
  origin = await CellOrigin.start();
  cell = await ProcessCell.start(2, ['--origin', origin.url]);
}, 60_000);

afterAll(async () => {
  await cell?.close();
  origin?.close();
});

const view = (http: string, path: string) => fetchChecked(http, path, { agent: false, known, media: cellMedia });
const rss = (node: CellNode) => metric(node, 'process_resident_memory_bytes');
const cpuSeconds = (node: CellNode) => metric(node, 'process_cpu_seconds_total');
const openFiles = (node: CellNode) => metric(node, 'process_open_fds');
const atEach = (measure: (node: CellNode) => Promise<number>) => Promise.all(cell.nodes.map(measure));

async function expectWell(): Promise<void> {
  for (const node of cell.nodes) {
    const up = (await peersOf(node)).filter(({ state }) => state === 'up');
    expect(up.map(({ peerId }) => peerId)).toEqual(
      cell.nodes.filter((each) => each !== node).map(({ peerId }) => peerId),
    );
    expect((await view(node.http, coldPath(randomBytes(4).toString('hex')))).fault).toBeUndefined();
  }
}

it('a node with another key is not let in, gets nothing, and serves its viewers from the origin', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'eddy-stranger-'));
  const keyFile = join(directory, 'cell.key');
  await writeFile(keyFile, randomBytes(32).toString('hex'));
  const peer = cell.nodes.flatMap(({ peers }) => ['--peer', peers[0] ?? '']);
  const args = ['--cell', cell.name, '--cell-key', keyFile, '--origin', origin.url, ...peer];
  const stranger = await startEddy(args);
  try {
    const asked = await atEach((each) => metric(each, 'eddy_peer_requests_total', 'direction="in"'));
    const given = await atEach((each) => metric(each, 'eddy_peer_body_bytes_total', 'direction="out"'));
    const before = await atEach(cpuSeconds);
    // As long as it takes to try several times.
    await sleep(4_000);
    // A quarter of a core at most, most of it what a member does anyway.
    for (const [i, seconds] of (await atEach(cpuSeconds)).entries()) expect(seconds - (before[i] ?? 0)).toBeLessThan(1);
    expect((await view(stranger.http, coldPath('stranger'))).fault).toBeUndefined();
    const node = { ...stranger, peerId: stranger.peerId ?? '', adminToken: undefined };
    expect((await peersOf(node)).filter(({ state }) => state === 'up')).toEqual([]);
    expect(await metric(node, 'eddy_peer_body_bytes_total')).toBe(0);
    expect(await atEach((each) => metric(each, 'eddy_peer_requests_total', 'direction="in"'))).toEqual(asked);
    expect(await atEach((each) => metric(each, 'eddy_peer_body_bytes_total', 'direction="out"'))).toEqual(given);
    // Nothing is kept of it: it is not even among those that are down.
    for (const each of cell.nodes) expect((await peersOf(each)).map(({ peerId }) => peerId)).not.toContain(node.peerId);
  } finally {
    await stranger.kill();
    await removeTree(directory);
  }
  await expectWell();
});

it('thousands of connections that talk nonsense at the peer port neither end a node nor make it grow', async () => {
  const [node] = cell.nodes;
  const [, host = '', port = ''] = /^\/ip4\/([\d.]+)\/tcp\/(\d+)/.exec(node?.peers[0] ?? '') ?? [];
  const babble = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const socket = connect({ host, port: Number(port) });
      socket.on('error', () => {});
      const closed = once(socket, 'close');
      // A TLS record that promises more, half of the time.
      const start = i % 2 === 0 ? Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]) : Buffer.alloc(0);
      socket.end(Buffer.concat([start, randomBytes(1 + ((i * 7919) % 3_000))]));
      socket.resume();
      await Promise.race([closed, sleep(5_000)]);
      socket.destroy();
    }
  };
  const flood = (count: number) => Promise.all(Array.from({ length: 20 }, () => babble(count / 20)));
  await flood(400);
  const [before, filesBefore] = [await atEach(rss), await atEach(openFiles)];
  await flood(2_000);
  for (const [i, bytes] of (await atEach(rss)).entries()) expect(bytes - (before[i] ?? 0)).toBeLessThan(50e6);
  const opened = async () => Math.max(...(await atEach(openFiles)).map((files, i) => files - (filesBefore[i] ?? 0)));
  await expect.poll(opened).toBeLessThan(20);
  await expectWell();
}, 60_000);
