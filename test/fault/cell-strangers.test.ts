import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CellNode, metric, peersOf, ProcessCell } from '../support/cell.ts';
import { fetchChecked } from '../support/cell-fetch.ts';
import { cellMedia, coldPath, KnownBytes } from '../support/cell-media.ts';
import { CellOrigin } from '../support/cell-origin.ts';
import { startEddy } from '../support/eddy.ts';

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
    const asked = await Promise.all(
      cell.nodes.map((node) => metric(node, 'eddy_peer_requests_total', 'direction="in"')),
    );
    // As long as it takes to try several times.
    await sleep(4_000);
    expect((await view(stranger.http, coldPath('stranger'))).fault).toBeUndefined();
    const node = { ...stranger, peerId: stranger.peerId ?? '', adminToken: undefined };
    expect((await peersOf(node)).filter(({ state }) => state === 'up')).toEqual([]);
    expect(await metric(node, 'eddy_peer_body_bytes_total')).toBe(0);
    const after = cell.nodes.map((each) => metric(each, 'eddy_peer_requests_total', 'direction="in"'));
    expect(await Promise.all(after)).toEqual(asked);
  } finally {
    await stranger.kill();
    await rm(directory, { recursive: true, force: true });
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
  const before = await Promise.all(cell.nodes.map(rss));
  await flood(2_000);
  const after = await Promise.all(cell.nodes.map(rss));
  for (const [i, bytes] of after.entries()) expect(bytes - (before[i] ?? 0)).toBeLessThan(100e6);
  await expectWell();
}, 60_000);
