import { closeSync, openSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ResidentReads } from '../../src/disk/table/resident-reads.ts';
import { TableFiles } from '../../src/disk/table/table-files.ts';
import { decodeFooter, decodeIndex, firstSequence, recordIn } from '../../src/disk/table/table-format.ts';
import { Tables } from '../../src/disk/table/tables.ts';
import { temporaryDirectory } from '../support/disk-store.ts';
import { fuzzSeed } from '../support/fuzz.ts';
import { bytesOf } from '../support/tier-bytes.ts';

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  scratch = await temporaryDirectory();
});
afterAll(() => scratch.remove());

const sequenceKey = (sequence: number): Buffer => {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(sequence);
  return key;
};

/** Sizes that share blocks, fill them, and are longer than one; every seventh sequence number is left out. */
const sequences = Array.from({ length: 900 }, (_none, i) => i).filter((i) => i % 7 !== 3);
const payloadOf = (sequence: number): Buffer => bytesOf(sequence, 0, [1, 700, 4096, 5000, 60_000][sequence % 5] ?? 0);

async function fill(name: string, options: { compression: boolean }): Promise<string> {
  const directory = join(scratch.path, name);
  const level = new ClassicLevel<Buffer, Buffer>(directory, {
    ...options,
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: 1024 * 1024,
  });
  for (const sequence of sequences) await level.put(sequenceKey(sequence), payloadOf(sequence));
  await level.compactRange(sequenceKey(10_000), sequenceKey(20_000));
  await level.close();
  return directory;
}

async function open(directory: string): Promise<Tables> {
  const tables = new Tables(directory, new TableFiles(2, undefined));
  await tables.list();
  return tables;
}

async function recordOf(tables: Tables, sequence: number): Promise<Buffer | undefined> {
  const place = tables.place(sequence);
  return place && tables.read(place);
}

describe('the tables of a LevelDB', () => {
  it('give each record that was written, and nothing for what was not', async () => {
    const directory = await fill('sound', { compression: false });
    const tables = await open(directory);
    expect((await tableNames(directory)).length).toBeGreaterThan(3);
    for (const sequence of sequences) expect(await recordOf(tables, sequence)).toEqual(payloadOf(sequence));
    for (const absent of [3, 703, 892, 900, 901, 70_000]) expect(await recordOf(tables, absent)).toBeUndefined();
    tables.close();
  });

  it('give in the thread what was read before', async () => {
    const tables = await open(await fill('twice', { compression: false }));
    const place = tables.place(12);
    if (place === undefined) throw new Error('record 12 has no place');
    await tables.read(place);
    expect(tables.readNow(place)).toEqual(payloadOf(12));
    tables.close();
  });

  it('leave compressed ones to LevelDB', async () => {
    const tables = await open(await fill('compressed', { compression: true }));
    for (const sequence of sequences) await recordOf(tables, sequence);
    expect(tables.usable).toBe(false);
    tables.close();
  });

  it('that are cut short or overwritten give no record but the right one, and others go on', async () => {
    const directory = await fill('damaged', { compression: false });
    const [cut = '', zeroed = ''] = await tableNames(directory);
    await writeFile(cut, (await readFile(cut)).subarray(0, 200_000));
    await writeFile(zeroed, (await readFile(zeroed)).fill(0, 1000, 500_000));
    const tables = await open(directory);
    const found = await Promise.all(sequences.map((sequence) => recordOf(tables, sequence)));
    const right = sequences.filter((sequence, i) => found[i]?.equals(payloadOf(sequence)));
    expect(right.length).toBeGreaterThan(sequences.length / 3);
    expect(right.length).toBeLessThan(sequences.length);
    tables.close();
  });
});

it('bytes that are no table, index or block are told, whatever they are', () => {
  const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
  fc.assert(
    fc.property(bytes, (each) => {
      expect(decodeFooter(each)).toBeUndefined();
      const blocks = decodeIndex(each, 1000);
      expect(blocks?.offsets.every((offset) => offset <= 1000) ?? true).toBe(true);
      expect(recordIn(each, 1)?.length ?? 0).toBeLessThanOrEqual(each.length);
      firstSequence(each);
    }),
    { seed: fuzzSeed, numRuns: 2000 },
  );
});

it('reads what is in memory, and not past the end of a file', async () => {
  const path = join(scratch.path, 'file');
  await writeFile(path, bytesOf(1, 0, 10_000));
  // Not every system and file system can tell.
  const reads = ResidentReads.on(path);
  if (reads === undefined) return;
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(4000);
    expect(reads.read(descriptor, bytes, 6000)).toBe(true);
    expect(bytes).toEqual(bytesOf(1, 0, 10_000).subarray(6000));
    expect(reads.read(descriptor, bytes, 6001)).toBe(false);
  } finally {
    closeSync(descriptor);
  }
});

async function tableNames(directory: string): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.ldb')).sort();
  return names.map((name) => join(directory, name));
}
