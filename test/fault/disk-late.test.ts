import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMetrics } from '../../src/metrics.ts';
import { type Disk, openDisk } from '../../src/node/disk.ts';
import { configOf } from '../support/config-load.ts';
import { entryOf, KeptLog, mebibyte, never, openDisk as openStore, temporaryDirectory } from '../support/disk-store.ts';
import { bytesOf } from '../support/tier-bytes.ts';
import { until } from '../support/until.ts';

let data: Awaited<ReturnType<typeof temporaryDirectory>>;
let disk: Disk | undefined;

beforeEach(async () => {
  data = await temporaryDirectory();
});
afterEach(async () => {
  await disk?.tier?.close();
  await data.remove();
});

async function openNodeDisk(): Promise<Disk> {
  const config = configOf({ argv: ['--data', data.path, '--disk', '32MiB', '--ram', '16MiB'] });
  const log = new KeptLog();
  disk = await openDisk(config, { log, metrics: createMetrics({ version: '0' }), retryIntervalMs: 20 });
  return disk;
}

it.each([
  ['a file for the store', 'store', (path: string) => writeFile(path, 'in the way')],
  ['a directory for its marks', 'store/marks', (path: string) => mkdir(path, { recursive: true })],
  ['a directory for its lock', 'store/lock/LOCK', (path: string) => mkdir(path, { recursive: true })],
])('a disk with %s when the node starts is used once that is gone', async (_, name, put) => {
  const path = join(data.path, name);
  await put(path);
  const { tier, health } = await openNodeDisk();
  expect(health()).toMatchObject({ state: 'failed', reason: expect.stringMatching(`cannot be used.*${path}`) });
  tier?.put(1, 0, bytesOf(1, 0, 1000));
  expect(tier?.find(1, 0)).toBeUndefined();

  await rm(path, { recursive: true });
  await until(() => health().state === 'ok');
  tier?.save(entryOf('key', 2));
  tier?.put(2, 0, bytesOf(2, 0, 1000));
  expect(tier?.find(2, 0)).toEqual({ first: 0, length: 1000 });
  expect((await tier?.load('key', never))?.variants).toHaveLength(1);
});

it('what a store holds that opens late is not given: it may have been purged since', async () => {
  const other = await openStore(join(data.path, 'store'), { bytesMax: 32 * mebibyte });
  other.save(entryOf('key', 1));
  other.put(1, 0, bytesOf(1, 0, 1000));
  await other.flushed();
  const { tier, health } = await openNodeDisk();
  expect(health()).toMatchObject({ state: 'failed', reason: expect.stringContaining('in use by another') });

  await other.close();
  await until(() => health().state === 'ok');
  expect(await tier?.load('key', never)).toBeUndefined();
  expect(tier?.stats().pieces).toBe(0);
});

it('nor is it where files of the index cannot be deleted', async ({ skip }) => {
  const other = await openStore(join(data.path, 'store'), { bytesMax: 32 * mebibyte });
  other.save(entryOf('key', 1));
  await other.flushed();
  const { tier, health } = await openNodeDisk();
  await other.close();
  const index = join(data.path, 'store', 'index');
  const logs = (await readdir(index)).filter((name) => name.endsWith('.log')).map((name) => join(index, name));
  const chattr = (...args: string[]) => execFileSync('chattr', args, { stdio: 'pipe' });
  try {
    chattr('+i', ...logs);
  } catch {
    return skip('files cannot be made immutable here: this takes the right to');
  }
  try {
    await until(() => health().state === 'ok');
    expect(await tier?.load('key', never)).toBeUndefined();
  } finally {
    chattr('-R', '-i', join(data.path, 'store'));
  }
});

it('says that a directory cannot be made where the system would have it tried without end', async () => {
  await expect(openStore('/proc/nothing/store')).rejects.toMatchObject({ code: 'disk-failed' });
});
