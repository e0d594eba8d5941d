import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { resourceBytes, startOrigin, type TestOrigin } from '../support/origin.ts';
import { removeTree } from '../support/remove-tree.ts';
import { view } from '../support/viewer.ts';

const mebibyte = 1024 * 1024;
let directory: string;
let origin: TestOrigin;
let edge: Edge;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'eddy-lost-'));
});

afterEach(async () => {
  await edge.close();
  await origin.close();
  await removeTree(directory);
});

/** Changes a byte every so often in whatever holds pieces. */
async function damage(everyBytes: number): Promise<void> {
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const { parentPath, name } of files.filter((each) => each.isFile() && /\.(ldb|log)$/.test(each.name))) {
    const path = join(parentPath, name);
    if (!path.includes('generation-')) continue;
    const bytes = await readFile(path);
    for (let at = 1000; at < bytes.length; at += everyBytes) bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(path, bytes);
  }
}

test.each([
  { name: 'strong', validators: {} },
  { name: 'no', validators: { etag: false, lastModified: false } as const },
])('pieces lost on disk are fetched again before an answer begins (%o)', async ({ validators }) => {
  const paths = Array.from({ length: 8 }, (_, i) => `/${i}.ts`);
  const segment = { length: 900_000, ...validators };
  origin = await startOrigin(Object.fromEntries(paths.map((path) => [path, segment])));
  const options = { origins: [origin.url], directory, diskBytes: 64 * mebibyte };
  edge = await startEdge(options);
  for (const path of paths) await view(edge.url + path);
  await edge.close();
  await damage(700_000);
  edge = await startEdge(options);
  for (const path of paths) {
    const { status, body } = await view(edge.url + path);
    expect(status).toBe(200);
    expect(body.equals(resourceBytes(path, { first: 0, length: segment.length }))).toBe(true);
  }
  for (const path of paths) {
    const { status, body } = await view(edge.url + path, { headers: { range: 'bytes=899000-' } });
    expect(status).toBe(206);
    expect(body.equals(resourceBytes(path, { first: 899_000, length: 1000 }))).toBe(true);
  }
  expect(origin.count()).toBeGreaterThan(paths.length);
});
