import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';

const mebibyte = 1024 * 1024;
const paths = Array.from({ length: 20 }, (_, i) => `/segment-${i}.m4s`);
const length = 40_000;

let origin: TestOrigin;
let edge: Edge;

beforeEach(async () => {
  origin = await startOrigin(Object.fromEntries(paths.map((path) => [path, { length }])));
  // Entries of all of them stay in memory, the places of the pieces of but a few do.
  edge = await startEdge({ origins: [origin.url], ramBytes: 0, diskBytes: 64 * mebibyte, openPiecesMax: 60 });
});

afterEach(async () => {
  await edge.close();
  await origin.close();
});

async function view(path: string): Promise<string | null> {
  const response = await fetch(edge.url + path);
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(bytes.equals(resourceBytes(path, { first: 0, length }))).toBe(true);
  return response.headers.get('cache-status');
}

test('what is on disk is not fetched again when the disk tier no longer has its pieces at hand', async () => {
  for (const path of paths) await view(path);
  await edge.disk?.flushed();
  const asked = origin.requests.length;
  for (const path of paths) expect(await view(path)).toMatch(/^eddy; hit;.*detail=disk/);
  expect(origin.requests.length).toBe(asked);
});
