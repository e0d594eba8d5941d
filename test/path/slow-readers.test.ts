import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { soon } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
let origin: TestOrigin;
let edge: Edge;

afterEach(async () => {
  await edge.close();
  await origin.close();
});

/** The body of one response, taken at no more than this rate. Rejects when it is cut off. */
async function viewSlowly(path: string, bytesPerSecond: number): Promise<Buffer> {
  const { hostname, port } = new URL(edge.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET ${path} HTTP/1.0\r\nHost: edge\r\n\r\n`);
  const chunks: Buffer[] = [];
  const started = performance.now();
  let bytes = 0;
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    const aheadMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - started);
    if (aheadMs > 5) await sleep(aheadMs);
  }
  const all = Buffer.concat(chunks);
  return all.subarray(all.indexOf('\r\n\r\n') + 4);
}

describe('a reader slower than the origin, where the tiers keep little', () => {
  const file = { length: 40 * mebibyte };
  const unidentified = { ...file, etag: false, lastModified: false } as const;

  test.each([
    { ramBytes: 0, name: 'no tier at all' },
    { ramBytes: 2 * mebibyte, name: 'a small RAM tier' },
  ])('gets what cannot be asked for again ($name)', async ({ ramBytes }) => {
    const chunked = { ...unidentified, chunked: true };
    const routes = { '/a.mp4': unidentified, '/b.mp4': chunked, '/c.mp4': unidentified, '/d.mp4': chunked };
    origin = await startOrigin(routes);
    edge = await startEdge({ origins: [origin.url], ramBytes });
    const paths = Object.keys(routes);
    const views = await Promise.all(paths.map((path) => viewSlowly(path, 20 * mebibyte)));
    for (const [i, path] of paths.entries()) {
      expect(views[i]?.equals(resourceBytes(path, { first: 0, length: file.length }))).toBe(true);
      expect(origin.count(path)).toBe(1);
    }
  });

  test('costs the origin one request and no byte twice', async () => {
    origin = await startOrigin({ '/a.mp4': file });
    edge = await startEdge({ origins: [origin.url], ramBytes: 2 * mebibyte });
    const body = await viewSlowly('/a.mp4', 30 * mebibyte);
    expect(body.equals(resourceBytes('/a.mp4', { first: 0, length: file.length }))).toBe(true);
    expect(origin.sent('/a.mp4')).toBe(file.length);
    expect(origin.count('/a.mp4')).toBe(1);
  });
});

test('without any tier, who comes while a segment arrives still shares its one request', async () => {
  const expected = resourceBytes('/seg.ts', { first: 0, length: 4 * mebibyte });
  let finish = (): void => {};
  origin = await startOrigin((_, response) => {
    response.writeHead(200, { ETag: '"v1"', 'Accept-Ranges': 'bytes', 'Content-Length': expected.length });
    response.write(expected.subarray(0, 3 * mebibyte));
    finish = () => response.end(expected.subarray(3 * mebibyte));
  });
  edge = await startEdge({ origins: [origin.url], ramBytes: 0 });
  const served = () => Object.values(edge.served).reduce((sum, bytes) => sum + bytes);
  const first = view(`${edge.url}/seg.ts`);
  await soon(() => expect(served()).toBe(3 * mebibyte));
  const late = [view(`${edge.url}/seg.ts`), view(`${edge.url}/seg.ts`)];
  await soon(() => expect(served()).toBe(9 * mebibyte));
  finish();
  for (const { body } of await Promise.all([first, ...late])) expect(body.equals(expected)).toBe(true);
  expect(origin.count('/seg.ts')).toBe(1);
});

test('a long read holds no memory for what lies behind it', async () => {
  const file = { length: 400 * mebibyte };
  origin = await startOrigin({ '/long.mp4': file });
  edge = await startEdge({ origins: [origin.url], ramBytes: 8 * mebibyte });
  const { hostname, port } = new URL(edge.url);
  const socket = connect(Number(port), hostname);
  socket.write('GET /long.mp4 HTTP/1.0\r\nHost: edge\r\nRange: bytes=0-\r\n\r\n');
  let [bytes, peakBytes] = [0, 0];
  socket.on('data', (chunk) => {
    bytes += chunk.length;
    peakBytes = Math.max(peakBytes, process.memoryUsage().arrayBuffers);
  });
  await once(socket, 'close');
  expect(bytes).toBeGreaterThan(file.length);
  expect(peakBytes).toBeLessThan(200 * mebibyte);
});
