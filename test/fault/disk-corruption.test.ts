import { cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pieceBytes } from '../../src/cache/types.ts';
import { type Ended, startDiskProcess } from '../support/disk-process.ts';
import { entryOf, mebibyte, openDisk, temporaryDirectory } from '../support/disk-store.ts';
import { removeTree } from '../support/remove-tree.ts';
import { bytesOf } from '../support/tier-bytes.ts';

/** Starts that a store may take to get over a damage: two that end, the one that looks into it. */
const startsMax = 3;
const representations = 24;

let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
let sound: string;

beforeAll(async () => {
  scratch = await temporaryDirectory();
  sound = join(scratch.path, 'sound');
  await mkdir(sound);
  // Two lives, so that both databases have tables from the first and logs from the second.
  for (const half of [0, 1]) {
    const tier = await openDisk(sound, { bytesMax: 48 * mebibyte });
    for (let id = 1 + (half * representations) / 2; id <= ((half + 1) * representations) / 2; id++) {
      tier.save(entryOf(`key ${id}`, id, { 'cache-tag': `tag-${id}` }));
      for (let i = 0; i < 4; i++) tier.put(id, i * pieceBytes, bytesOf(id, i * pieceBytes, i < 2 ? pieceBytes : 700));
      await tier.flushed();
    }
    await tier.close();
  }
});
afterAll(() => scratch.remove());

type Damage = (path: string) => Promise<void>;

const flip =
  (at: number): Damage =>
  async (path) => {
    const bytes = await readFile(path);
    const offset = Math.min(bytes.length - 1, Math.floor(bytes.length * at));
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x20;
    await writeFile(path, bytes);
  };

/** What a lost page, or a file system that was not finished writing, leaves. */
const zero =
  (from: number, length: number): Damage =>
  async (path) => {
    const bytes = await readFile(path);
    const start = Math.floor(bytes.length * from);
    bytes.fill(0, start, Math.min(bytes.length, start + length));
    await writeFile(path, bytes);
  };

const cutInHalf: Damage = async (path) => truncate(path, Math.floor((await readFile(path)).length / 2));

const flips = [0, 0.31, 0.77].map((at) => [`one flipped bit at ${at * 100}%`, flip(at)] as const);
const losses: (readonly [string, Damage])[] = [
  ['zeros in the middle', zero(0.5, 4096)],
  ['zeros at the end', zero(0.999, 4096)],
  ['half of it gone', cutInHalf],
  ['all of it gone', (path) => rm(path)],
];
const whole = representations * 4;

/** Each kind of file, and how many pieces are left at the least whatever happens to one of them. */
const kinds = [
  ['table of the index', /^index\/\d+\.ldb$/, 0],
  ['log of the index', /^index\/\d+\.log$/, whole / 2],
  ['MANIFEST of the index', /^index\/MANIFEST-\d+$/, whole],
  ['CURRENT of the index', /^index\/CURRENT$/, whole],
  ['table of a generation', /^generation-\d+\/\d+\.ldb$/, whole / 2],
  ['log of a generation', /^generation-\d+\/\d+\.log$/, whole - 16],
  ['MANIFEST of a generation', /^generation-\d+\/MANIFEST-\d+$/, whole],
  ['CURRENT of a generation', /^generation-\d+\/CURRENT$/, whole],
  ['FORMAT file', /^FORMAT$/, whole],
  ['file of crash marks', /^marks$/, whole],
] as const;

describe.each(kinds)('a %s', (_, pattern, least) => {
  it.each([...flips, ...losses])('with %s: no wrong byte, and the store serves again', async (_, damage) => {
    const directory = join(scratch.path, 'damaged');
    await cp(sound, directory, { recursive: true });
    try {
      const [file] = await filesLike(directory, pattern);
      if (file === undefined) throw new Error(`the store has no file like ${pattern}`);
      await damage(join(directory, file));
      const starts = await startUntilServing(directory);
      const last = starts.at(-1);
      expect(last?.code, describeStarts(starts)).toBe(0);
      expect(last?.found?.pieces, describeStarts(starts)).toBeGreaterThanOrEqual(least);
    } finally {
      await removeTree(directory);
    }
  });
});

/** The largest first. */
async function filesLike(directory: string, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).filter((name) => pattern.test(name));
  const sized = await Promise.all(
    names.map(async (name) => [name, (await readFile(join(directory, name))).length] as const),
  );
  return sized.sort(([, a], [, b]) => b - a).map(([name]) => name);
}

async function startUntilServing(directory: string): Promise<Ended[]> {
  const starts: Ended[] = [];
  for (let i = 0; i < startsMax; i++) {
    const ended = await startDiskProcess('verify', directory).ended;
    starts.push(ended);
    // 3 is a wrong byte: never to be tried again.
    if (ended.code === 0 || ended.code === 3) break;
  }
  return starts;
}

function describeStarts(starts: readonly Ended[]): string {
  return starts
    .map(({ code, signal, stderr, found }) => `${code ?? signal} ${stderr} ${found?.log.join('\n')}`)
    .join('\n');
}
