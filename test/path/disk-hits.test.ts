import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { removeTree } from '../support/remove-tree.ts';

const mebibyte = 1024 * 1024;
const files = [
  { path: '/small.m4s', length: 5_000 },
  { path: '/segment.m4s', length: 900_001 },
  { path: '/long.mp4', length: 3 * mebibyte + 5 },
].map((file) => ({ ...file, bytes: resourceBytes(file.path, { first: 0, length: file.length }) }));

let directory: string;
let origin: TestOrigin;
let edge: Edge;
let pool: Pool;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'eddy-disk-hits-'));
  origin = await startOrigin(Object.fromEntries(files.map(({ path, length }) => [path, { length }])));
  edge = await startEdge({ origins: [origin.url], directory, ramBytes: 0, diskBytes: 64 * mebibyte });
  pool = new Pool(edge.url, { connections: 8, pipelining: 1 });
  // Twice at least: what was read lately is then read in the thread.
  for (const file of files) for (let i = 0; i < 4; i++) await view(file);
});

afterEach(async () => {
  await pool.close();
  await edge.close();
  await origin.close();
  await removeTree(directory);
});

async function view({ path, bytes }: (typeof files)[number]): Promise<void> {
  const { body } = await pool.request({ method: 'GET', path });
  expect(Buffer.from(await body.arrayBuffer()).equals(bytes)).toBe(true);
}

test('many viewers of what is only on disk get right bytes, whoever is done first', async () => {
  const asked = origin.requests.length;
  const before = edge.served.disk;
  const rounds = Array.from({ length: 120 }, (_, i) => view(files[i % files.length] as (typeof files)[number]));
  await Promise.all(rounds);
  expect(origin.requests.length).toBe(asked);
  expect(edge.served.disk - before).toBe(40 * files.reduce((sum, { length }) => sum + length, 0));
});

test('a viewer that takes its bytes late gets them right while others come and go', async () => {
  const { hostname, port } = new URL(edge.url);
  const [, segment, long] = files;
  if (segment === undefined || long === undefined) throw new Error('no files');
  const slow = [segment, long, segment].map((file) => {
    const socket = connect(Number(port), hostname);
    socket.pause();
    socket.write(`GET ${file.path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n`);
    return { socket, file };
  });
  for (let i = 0; i < 40; i++) await view(i % 2 === 0 ? segment : long);
  for (const { socket, file } of slow) {
    const chunks: Buffer[] = [];
    for await (const chunk of socket as AsyncIterable<Buffer>) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    expect(all.subarray(all.indexOf('\r\n\r\n') + 4).equals(file.bytes)).toBe(true);
  }
});
