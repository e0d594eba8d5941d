import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { appendFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import type { DiskTier } from '../../src/disk/tier.ts';
import { entryOf, KeptLog, mebibyte, never, openDisk, temporaryDirectory } from '../support/disk-store.ts';
import { removeTree } from '../support/remove-tree.ts';
import { bytesOf } from '../support/tier-bytes.ts';

let mountPoint: Awaited<ReturnType<typeof temporaryDirectory>>;
let mounted = false;
let round = 0;

/** A file system of 24 MiB, with a store and a ballast file that fills it up. */
let directory: string;
const states = new EventEmitter();
const log = new KeptLog();
let tier: DiskTier;

beforeAll(async () => {
  mountPoint = await temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mountPoint.path], { stdio: 'pipe' });
    mounted = true;
  } catch {
    // Each test says so.
  }
});
afterAll(async () => {
  if (mounted) execFileSync('umount', [mountPoint.path], { stdio: 'pipe' });
  await mountPoint.remove();
});
beforeEach(async ({ skip }) => {
  if (!mounted) skip('a small tmpfs cannot be mounted here: this takes the right to mount');
  directory = join(mountPoint.path, `store-${round++}`);
  tier = await open();
});
afterEach(async () => {
  if (!mounted) return;
  await tier.close();
  await rm(join(mountPoint.path, 'ballast'), { force: true });
  await removeTree(directory);
});

const open = () =>
  openDisk(directory, {
    bytesMax: 64 * mebibyte,
    log,
    retryIntervalMs: 50,
    onHealth: (state, reason) => states.emit(state, reason),
  });

async function fillDisk(): Promise<void> {
  for (let size = mebibyte; size >= 1024; ) {
    try {
      await appendFile(join(mountPoint.path, 'ballast'), Buffer.alloc(size, 1));
    } catch {
      size = Math.floor(size / 2);
    }
  }
}

const freeDisk = () => rm(join(mountPoint.path, 'ballast'));

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
    if (bytes === undefined) continue;
    expect(bytes.equals(bytesOf(id, i * pieceBytes, pieceBytes))).toBe(true);
    count++;
  }
  return count;
}

describe('a disk smaller than the budget', () => {
  it('is filled as far as it goes, without ever being full', async () => {
    await put(1, 200);
    expect(tier.health()).toEqual({ state: 'ok' });
    expect(tier.counts().declined).toBe(0);
    expect(await readable(1, 200)).toBeGreaterThan(20);
  });

  it('is said to be full when others fill it, is read on, and is taken back into use', async () => {
    await put(1, 24);
    await fillDisk();
    const full = once(states, 'full');
    for (let id = 2; tier.health().state === 'ok' && id < 40; id++) await put(id, 4);
    const [reason] = await full;
    expect(reason).toContain('No space left on device');
    expect(tier.counts().declined).toBeGreaterThan(0);
    const kept = await readable(1, 24);
    expect(tier.find(1, 0) === undefined || kept > 0).toBe(true);

    const ok = tier.health().state === 'ok' ? undefined : once(states, 'ok');
    await freeDisk();
    await ok;
    expect(tier.health()).toEqual({ state: 'ok' });
    await put(100, 10);
    expect(await readable(100, 10)).toBe(10);
    await tier.close();
    tier = await open();
    await tier.load('key 100', never);
    expect(await readable(100, 10)).toBe(10);
  });

  it('gives up old generations to start, or says that it is full', async () => {
    await put(1, 48);
    await tier.close();
    await fillDisk();
    tier = await open();
    await tier.load('key 1', never);
    expect(await readable(1, 48)).toBeGreaterThan(0);

    await tier.close();
    await removeTree(directory);
    await fillDisk();
    await expect(open()).rejects.toMatchObject({ code: 'disk-full', message: expect.stringContaining(directory) });
  });
});
