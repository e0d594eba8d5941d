import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import { PieceIndex } from '../../src/disk/indexes/piece-index.ts';
import type { DiskOptions } from '../../src/disk/options.ts';
import type { DiskTier } from '../../src/disk/tier.ts';
import { bytesOf } from '../contract/tier-contract.ts';
import { bytesBelow, entryOf, mebibyte, never, openDisk, temporaryDirectory } from '../support/disk-store.ts';
import { soon } from '../support/until.ts';

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let tier: DiskTier | undefined;

beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(async () => {
  await tier?.close();
  tier = undefined;
  await directory.remove();
});

async function open(options: Partial<DiskOptions> = {}): Promise<DiskTier> {
  await tier?.close();
  tier = await openDisk(directory.path, options);
  return tier;
}

/** Puts a piece of the largest size and waits now and then, so that none is declined. */
async function fill(disk: DiskTier, id: number, options: { from: number; to: number }): Promise<void> {
  for (let i = options.from; i < options.to; i++) {
    disk.put(id, i * pieceBytes, bytesOf(id, i * pieceBytes, pieceBytes));
    if (i % 16 === 15) await disk.flushed();
  }
  await disk.flushed();
}

async function readable(disk: DiskTier, id: number, pieces: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < pieces; i++) {
    const bytes = await disk.read(id, i * pieceBytes);
    if (bytes === undefined) continue;
    expect(bytes.equals(bytesOf(id, i * pieceBytes, bytes.length))).toBe(true);
    found.push(i);
  }
  return found;
}

describe('across a restart', () => {
  it('keeps pieces, entries and the accounting', async () => {
    let disk = await open();
    disk.save(entryOf('GET https://a/one.mp4', 11, { vary: 'Accept-Encoding', 'x-odd': 'ü "quoted"' }));
    await fill(disk, 11, { from: 0, to: 40 });
    disk.put(11, 40 * pieceBytes + 77, bytesOf(11, 40 * pieceBytes + 77, 1234));
    await disk.flushed();
    const before = disk.stats();

    disk = await open();
    expect(disk.stats().pieces).toBe(before.pieces);
    expect(Math.abs(disk.stats().bytes - before.bytes)).toBeLessThan(mebibyte);
    expect(disk.find(11, 0)).toBeUndefined();
    expect(await disk.load('GET https://a/one.mp4', never)).toEqual(
      entryOf('GET https://a/one.mp4', 11, { vary: 'Accept-Encoding', 'x-odd': 'ü "quoted"' }),
    );
    expect(disk.find(11, 5 * pieceBytes + 1)).toEqual({ first: 5 * pieceBytes, length: pieceBytes });
    expect(disk.find(11, 40 * pieceBytes)).toEqual({ first: 40 * pieceBytes + 77, length: 1234 });
    expect(await readable(disk, 11, 40)).toHaveLength(40);
    expect(await disk.load('GET https://a/two.mp4', never)).toBeUndefined();
  });

  it('keeps the longer piece, and fills on where it was', async () => {
    let disk = await open();
    disk.save(entryOf('k', 5));
    disk.put(5, 0, bytesOf(5, 0, 1000));
    disk.put(5, 4000, bytesOf(5, 4000, 1000));
    await disk.flushed();
    disk.put(5, 0, bytesOf(5, 0, 9000));
    await disk.flushed();
    expect(disk.stats().pieces).toBe(1);

    disk = await open();
    await disk.load('k', never);
    expect(disk.find(5, 4500)).toEqual({ first: 0, length: 9000 });
    disk.put(5, 9000, bytesOf(5, 9000, 10));
    await disk.flushed();
    expect(await disk.read(5, 0)).toEqual(bytesOf(5, 0, 9000));
    expect(await disk.read(5, 9000)).toEqual(bytesOf(5, 9000, 10));
  });

  it('without work empties its write buffer, and reads on what was in it', async () => {
    const disk = await open({ bytesMax: 256 * mebibyte });
    await fill(disk, 7, { from: 0, to: 6 });
    expect(logBytesBelow(directory.path)).toBeGreaterThan(mebibyte);
    await soon(() => expect(logBytesBelow(directory.path)).toBe(0));
    expect(await readable(disk, 7, 6)).toEqual([0, 1, 2, 3, 4, 5]);
    disk.put(7, 6 * pieceBytes, bytesOf(7, 6 * pieceBytes, 100));
    await disk.flushed();
    expect(await readable(disk, 7, 7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(disk.counts().corrupt).toBe(0);
  });

  it('does not bring back what was removed, deleted or replaced', async () => {
    let disk = await open();
    for (const id of [1, 2, 3, 4]) {
      disk.save(entryOf(`key ${id}`, id, { 'cache-tag': `old-${id}, both` }));
      await fill(disk, id, { from: 0, to: 2 });
    }
    disk.remove(1);
    disk.delete('key 2');
    disk.save(entryOf('key 3', 33, { 'cache-tag': 'new-3' }));
    await disk.flushed();
    expect(disk.stats().pieces).toBe(2);

    disk = await open();
    for (const id of [1, 2, 3, 4]) await disk.load(`key ${id}`, never);
    expect(await disk.load('key 2', never)).toBeUndefined();
    expect((await disk.load('key 3', never))?.variants[0]?.id).toBe(33);
    for (const id of [1, 2, 3, 33]) expect(disk.find(id, 0), `id ${id}`).toBeUndefined();
    expect(await readable(disk, 4, 2)).toEqual([0, 1]);
    expect(await Array.fromAsync(disk.keys({ tag: 'old-3' }, never))).toEqual([]);
    expect(await Array.fromAsync(disk.keys({ tag: 'both' }, never))).toEqual(['key 1', 'key 4']);
    disk = await open();
    expect(disk.stats().pieces).toBe(2);
  });

  it('opens 100,000 small pieces for a fraction of the CPU that they took to write, and finds them', {
    timeout: 60_000,
  }, async () => {
    let disk = await open({ bytesMax: 256 * mebibyte, generationBytes: 16 * mebibyte });
    const count = 100_000;
    const written = process.cpuUsage();
    for (let i = 0; i < count; i++) {
      const id = 1000 + Math.floor(i / 100);
      if (i % 100 === 0) disk.save(entryOf(`small ${id}`, id));
      disk.put(id, (i % 100) * 500, bytesOf(id, (i % 100) * 500, 300));
      if (i % 2000 === 1999) await disk.flushed();
    }
    await disk.flushed();
    expect(disk.counts().declined).toBe(0);
    await disk.close();
    const writing = cpuMsSince(written);
    const opened = process.cpuUsage();
    disk = await open({ bytesMax: 256 * mebibyte, generationBytes: 16 * mebibyte });
    await disk.load('small 1500', never);
    expect(cpuMsSince(opened)).toBeLessThan(writing / 3);
    expect(disk.stats().pieces).toBe(count);
    for (let i = 0; i < 100; i++) expect(await disk.read(1500, i * 500)).toEqual(bytesOf(1500, i * 500, 300));
  });

  it('gives up what no longer fits when the budget is smaller', async () => {
    let disk = await open({ bytesMax: 64 * mebibyte });
    await fill(disk, 8, { from: 0, to: 180 });
    disk = await open({ bytesMax: 24 * mebibyte });
    await disk.flushed();
    expect(disk.stats().bytes).toBeLessThan(24 * mebibyte);
    expect(await bytesBelow(directory.path)).toBeLessThan(24 * mebibyte);
  });
});

describe('under churn', () => {
  it('holds the budget on disk at all times, and evicts the oldest', async () => {
    const bytesMax = 32 * mebibyte;
    let evicted = 0;
    const disk = await open({ bytesMax, onEvicted: (bytes) => (evicted += bytes) });
    let most = 0;
    const pieces = 640;
    for (let i = 0; i < pieces; i++) {
      disk.put(9, i * pieceBytes, bytesOf(9, i * pieceBytes, pieceBytes));
      if (i % 4 === 3) {
        most = Math.max(most, await bytesBelow(directory.path));
        await disk.flushed();
      }
    }
    expect(most).toBeLessThanOrEqual(bytesMax);
    expect(disk.stats().bytes).toBeLessThanOrEqual(bytesMax);
    const found = await readable(disk, 9, pieces);
    expect(found.length).toBe(disk.stats().pieces);
    expect(found.length * pieceBytes).toBeGreaterThan(bytesMax * 0.55);
    expect(found).toEqual(Array.from(found, (_, i) => pieces - found.length + i));
    expect(evicted).toBe((pieces - found.length) * pieceBytes);
    expect(disk.counts().writtenBytes).toBe(pieces * pieceBytes);
  });

  it('keeps what is read, by a second chance', async () => {
    const disk = await open({ bytesMax: 32 * mebibyte });
    const hot = 3;
    await fill(disk, 1, { from: 0, to: hot });
    for (let round = 0; round < 20; round++) {
      expect(await readable(disk, 1, hot), `round ${round}`).toHaveLength(hot);
      await fill(disk, 100 + round, { from: 0, to: 16 });
    }
    expect(disk.counts().reappendedBytes).toBeGreaterThan(0);
    expect(disk.counts().evictedBytes).toBeGreaterThan(0);
    expect(await readable(disk, 100, 16)).toEqual([]);
  });

  it('forgets hot pieces too when nothing else is left, so the budget holds', async () => {
    const disk = await open({ bytesMax: 24 * mebibyte, reappendHits: 0 });
    await fill(disk, 1, { from: 0, to: 300 });
    expect(await bytesBelow(directory.path)).toBeLessThanOrEqual(24 * mebibyte);
    expect(disk.counts().evictedBytes).toBeGreaterThan(0);
  });

  it('forgets entries together with their last piece, and those that never had one in time', async () => {
    const disk = await open({ bytesMax: 16 * mebibyte });
    disk.save(entryOf('gone', 1, { 'cache-tag': 'x' }));
    disk.save(entryOf('without pieces', 2));
    await fill(disk, 1, { from: 0, to: 2 });
    disk.save(entryOf('kept', 3));
    for (let i = 0; i < 120; i++) {
      disk.put(3, i * pieceBytes, bytesOf(3, i * pieceBytes, pieceBytes));
      await disk.flushed();
    }
    expect(await Array.fromAsync(disk.keys('all', never))).toEqual(['kept']);
    expect(await Array.fromAsync(disk.keys({ tag: 'x' }, never))).toEqual([]);
  });

  it('bounds entries without pieces by the budget', async () => {
    const disk = await open({ bytesMax: 8 * mebibyte });
    for (let i = 0; i < 12_000; i++) {
      disk.save(entryOf(`entry ${i}`, i, { 'x-long': 'x'.repeat(1500) }));
      if (i % 1000 === 999) await disk.flushed();
    }
    expect(await bytesBelow(directory.path)).toBeLessThanOrEqual(8 * mebibyte);
    const keys = await Array.fromAsync(disk.keys('all', never));
    expect(keys.length).toBeGreaterThan(100);
    expect(keys.length).toBeLessThan(6000);
    expect(keys).toContain('entry 11999');
  });
});

describe('entries', () => {
  it('are listed in order, by prefix, by tag and all, saved or not yet', async () => {
    const disk = await open();
    const list = (which: Parameters<DiskTier['keys']>[0]) => Array.fromAsync(disk.keys(which, never));
    for (const name of ['b', 'a/2', 'a/1', 'a', 'ü', 'c']) disk.save(entryOf(name, 1, { 'cache-tag': 'one,two' }));
    await disk.flushed();
    for (const name of ['a/3', '0', 'zz']) disk.save(entryOf(name, 1, { 'surrogate-key': 'two three' }));
    disk.save(entryOf('b', 1, {}));
    disk.delete('c');
    const check = async () => {
      expect(await list('all')).toEqual(['0', 'a', 'a/1', 'a/2', 'a/3', 'b', 'zz', 'ü']);
      expect(await list({ prefix: 'a/' })).toEqual(['a/1', 'a/2', 'a/3']);
      expect(await list({ tag: 'one' })).toEqual(['a', 'a/1', 'a/2', 'ü']);
      expect(await list({ tag: 'two' })).toEqual(['0', 'a', 'a/1', 'a/2', 'a/3', 'zz', 'ü']);
      expect(await list({ tag: 'thre' })).toEqual([]);
      expect(await list({ prefix: 'nothing' })).toEqual([]);
    };
    await check();
    await disk.flushed();
    await check();
    await open().then((reopened) =>
      expect(Array.fromAsync(reopened.keys({ tag: 'three' }, never))).resolves.toHaveLength(3),
    );
  });

  it('can all be deleted while they are listed', async () => {
    const disk = await open();
    // They are listed 500 at a time.
    const count = 20_000;
    for (let i = 0; i < count; i++) {
      disk.save(entryOf(`e${i}`, i));
      if (i % 2000 === 1999) await disk.flushed();
    }
    let listed = 0;
    for await (const key of disk.keys('all', never)) {
      disk.delete(key);
      listed++;
    }
    expect(listed).toBe(count);
    expect(await Array.fromAsync(disk.keys('all', never))).toEqual([]);
    expect(await disk.load('e7', never)).toBeUndefined();
    await disk.flushed();
    expect(await disk.load('e7', never)).toBeUndefined();
    // Those that are left must not go from one generation to the next with every few that are deleted.
    const generations = readdirSync(directory.path).map((name) => Number(/^generation-(\d+)$/.exec(name)?.[1] ?? 0));
    expect(Math.max(...generations)).toBeLessThan(5);
  });

  it('are looked through for their pieces once when they are deleted with them', async () => {
    const disk = await open();
    for (let id = 0; id < 300; id++) {
      disk.save(entryOf(`e${id}`, id));
      disk.put(id, 0, bytesOf(id, 0, 1000));
    }
    await disk.flushed();
    const forgetAll = vi.spyOn(PieceIndex.prototype, 'forgetAll');
    for (let id = 0; id < 300; id++) {
      disk.delete(`e${id}`);
      disk.remove(id);
    }
    await disk.flushed();
    expect(forgetAll).toHaveBeenCalledTimes(300);
    expect(disk.stats().pieces).toBe(0);
  });

  it('without pieces stay when the pieces around them are removed', async () => {
    const disk = await open({ bytesMax: 16 * mebibyte });
    disk.save(entryOf('a redirect', 1));
    disk.save(entryOf('a film', 2));
    await fill(disk, 2, { from: 0, to: 24 });
    const { bytes } = disk.stats();
    disk.delete('a film');
    await disk.flushed();
    expect(disk.stats().pieces).toBe(0);
    expect(disk.stats().bytes).toBeLessThan(bytes / 2);
    expect(await Array.fromAsync(disk.keys('all', never))).toEqual(['a redirect']);
  });

  it('stop being listed when the signal says so', async () => {
    const disk = await open();
    disk.save(entryOf('a', 1));
    disk.save(entryOf('b', 2));
    const aborted = AbortSignal.abort();
    await expect(Array.fromAsync(disk.keys('all', aborted))).rejects.toMatchObject({ code: 'aborted' });
    expect(await disk.load('a', aborted)).toBeUndefined();
  });

  it('are not kept when they are too large, and what was there is not either', async () => {
    const disk = await open();
    disk.save(entryOf('a', 1));
    await disk.flushed();
    disk.save(entryOf('a', 1, { 'x-huge': 'x'.repeat(300 * 1024) }));
    await disk.flushed();
    expect(await disk.load('a', never)).toBeUndefined();
  });
});

describe('bounds', () => {
  it('closes the representation that was not used for longest, until its entry is loaded again', async () => {
    const disk = await open({ openPiecesMax: 100 });
    for (let id = 1; id <= 20; id++) {
      disk.save(entryOf(`k${id}`, id));
      for (let i = 0; i < 4; i++) disk.put(id, i * pieceBytes, bytesOf(id, i * pieceBytes, 100));
    }
    await disk.flushed();
    expect(disk.find(1, 0)).toBeUndefined();
    expect(disk.find(20, 0)).toBeDefined();
    await disk.load('k1', never);
    expect(await readable(disk, 1, 4)).toEqual([0, 1, 2, 3]);
  });

  it('reopens it by its id too, and knows when there is nothing that it does not know', async () => {
    const disk = await open({ openPiecesMax: 100 });
    disk.put(1, 0, bytesOf(1, 0, 100));
    await disk.flushed();
    await disk.reopen(1);
    expect(disk.reopen(1)).toBeUndefined();
    for (let id = 2; id <= 20; id++) disk.put(id, 0, bytesOf(id, 0, 100));
    await disk.flushed();
    expect(disk.find(1, 0)).toBeUndefined();
    await disk.reopen(1);
    expect(await readable(disk, 1, 1)).toEqual([0]);
    disk.remove(1);
    expect(disk.reopen(1)).toBeUndefined();
  });

  it('declines pieces beyond the queue, and says how many', async () => {
    const disk = await open({ queueBytesMax: mebibyte });
    for (let i = 0; i < 20; i++) disk.put(1, i * pieceBytes, bytesOf(1, i * pieceBytes, pieceBytes));
    expect(disk.counts().declined).toBe(16);
    expect(await readable(disk, 1, 20)).toEqual([0, 1, 2, 3]);
    await disk.flushed();
    expect(await readable(disk, 1, 20)).toEqual([0, 1, 2, 3]);
  });

  it('declines what is no piece', async () => {
    const disk = await open();
    disk.put(1, pieceBytes - 10, Buffer.alloc(20));
    disk.put(1, 0, Buffer.alloc(0));
    disk.put(-1, 0, Buffer.alloc(1));
    disk.put(1, 0.5, Buffer.alloc(1));
    disk.put(Number.NaN, 0, Buffer.alloc(1));
    await disk.flushed();
    expect(disk.stats().pieces).toBe(0);
    expect(disk.find(1, 0)).toBeUndefined();
  });

  it('names the option that is out of bounds', async () => {
    await expect(openDisk(directory.path, { bytesMax: 1000 })).rejects.toThrow(/disk budget 1000.*at least 4194304/);
    await expect(openDisk(directory.path, { generationBytes: 1 })).rejects.toThrow(/generationBytes 1 /);
  });

  it('says that the directory is in use, or is none', async () => {
    await open();
    const failure = { code: 'disk-failed', message: expect.stringContaining(directory.path) };
    await expect(openDisk(directory.path)).rejects.toMatchObject(failure);
    await expect(openDisk(`${directory.path}/../${directory.path.split('/').at(-1)}`)).rejects.toMatchObject(failure);
    await expect(openDisk(`${directory.path}/FORMAT`)).rejects.toMatchObject({ code: 'disk-failed' });
  });

  it('answers nothing once closed, and closes twice', async () => {
    const disk = await open();
    disk.put(1, 0, bytesOf(1, 0, 10));
    await Promise.all([disk.close(), disk.close()]);
    disk.put(1, 100, bytesOf(1, 100, 10));
    disk.remove(1);
    expect(await disk.read(1, 0)).toBeUndefined();
    expect(await disk.load('k', never)).toBeUndefined();
    await expect(Array.fromAsync(disk.keys('all', never))).rejects.toMatchObject({ code: 'disk-failed' });
  });
});

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Bytes in the logs of the generations: what their write buffers hold. */
function logBytesBelow(path: string): number {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' });
  const logs = names.filter((name) => /^generation-\d+.\d+\.log$/.test(name));
  return logs.reduce((sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}
