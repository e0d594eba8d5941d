import { EventEmitter, once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import type { DiskTier } from '../../src/disk/tier.ts';
import { entryOf, KeptLog, mebibyte, never, openDisk, temporaryDirectory } from '../support/disk-store.ts';
import { removeTree } from '../support/remove-tree.ts';
import { bytesOf } from '../support/tier-bytes.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let tier: DiskTier;
const states = new EventEmitter();

const open = () =>
  openDisk(directory.path, {
    bytesMax: 32 * mebibyte,
    log: new KeptLog(),
    retryIntervalMs: 20,
    onHealth: (state, reason) => {
      states.emit(state, reason);
      throw new Error('a listener that throws must not harm the tier');
    },
  });

beforeEach(async () => {
  directory = await temporaryDirectory();
  tier = await open();
});
afterEach(async () => {
  await tier.close();
  await directory.remove();
});

async function put(id: number, pieces: number): Promise<void> {
  tier.save(entryOf(`key ${id}`, id));
  for (let i = 0; i < pieces; i++) {
    tier.put(id, i * pieceBytes, bytesOf(id, i * pieceBytes, pieceBytes));
    await tier.flushed();
  }
}

async function readable(id: number, pieces: number): Promise<number> {
  let count = 0;
  for (let i = 0; i < pieces; i++) {
    const bytes = await tier.read(id, i * pieceBytes);
    if (bytes !== undefined) expect(bytes.equals(bytesOf(id, i * pieceBytes, pieceBytes))).toBe(true);
    if (bytes !== undefined) count++;
  }
  return count;
}

it.each([
  ['the generations', /^generation-/],
  ['the index', /^index$/],
  ['everything', /./],
])('gets over the loss of %s under it: says so, serves what is left, writes again', async (_, pattern) => {
  await put(1, 10);
  for (const name of await readdir(directory.path)) {
    // LevelDB compacts on a thread of its own and may add a file while its directory is emptied.
    if (pattern.test(name)) await removeTree(join(directory.path, name));
  }
  const failed = once(states, 'failed');
  const works = once(states, 'ok');
  for (let id = 2; tier.health().state === 'ok' && id < 2000; id++) {
    await put(id, 10);
    tier.save(entryOf(`large ${id}`, 10_000 + id, { 'x-large': 'x'.repeat(200_000) }));
  }
  const [reason] = await failed;
  expect(reason).toBeTruthy();
  await works;
  expect(tier.health()).toEqual({ state: 'ok' });
  await put(5000, 10);
  expect(await readable(5000, 10)).toBe(10);

  await tier.close();
  tier = await open();
  await tier.load('key 5000', never);
  expect(await readable(5000, 10)).toBe(10);
});
