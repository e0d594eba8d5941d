import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startDiskProcess } from '../support/disk-process.ts';
import { temporaryDirectory } from '../support/disk-store.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory.remove());

it('survives kill -9 under write load 20 times: opens, keeps, and never has a wrong byte', {
  timeout: 90_000,
}, async () => {
  const kept: number[] = [];
  for (let round = 0; round < 20; round++) {
    const { child, found, full, ended } = startDiskProcess('write', directory.path);
    const before = await found;
    if (round === 0) await full;
    // How long it writes is the load here, not something waited for.
    await wait(20 + Math.random() * 200);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    expect(stderr).toBe('');
    expect(signal).toBe('SIGKILL');
    expect(before?.corrupt).toBe(0);
    expect(before?.openCpuMs).toBeLessThan(2000);
    kept.push(before?.pieces ?? 0);
  }
  const { found, ended } = startDiskProcess('verify', directory.path);
  expect((await ended).code).toBe(0);
  kept.push((await found)?.pieces ?? 0);
  // The store is full after the first round, and stays so: no kill costs it more than the pieces on their way.
  expect(Math.min(...kept.slice(1))).toBeGreaterThan(80);
});
