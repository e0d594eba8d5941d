import { readdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BoundedMap } from '../../bounded-map.ts';
import { EddyError } from '../../errors.ts';
import { makeDirectory } from '../../make-directory.ts';
import { CrashMarks } from '../database/crash-marks.ts';
import { IndexDatabase } from '../database/index-database.ts';
import { closeLevel, type Level, openLevel, reasonOf, troubleOf } from '../database/level.ts';
import { asideBytes, deleteDirectory, removeTree } from '../database/recovery.ts';
import { generationNumbersIn, generationPath } from '../generation/generation.ts';
import { Generations } from '../generation/generations.ts';
import { type GenerationsOptions, openGenerations } from '../generation/open-generations.ts';
import { EntryIndex } from '../indexes/entry-index.ts';
import { PieceIndex } from '../indexes/piece-index.ts';
import type { DiskSettings } from '../options.ts';
import { ResidentReads } from '../table/resident-reads.ts';
import { TableFiles } from '../table/table-files.ts';
import { EntryQueue } from './entry-queue.ts';
import { OpenRepresentations } from './open-representations.ts';
import { PieceQueue } from './piece-queue.ts';
import type { StoreParts } from './store-parts.ts';

/** The file `FORMAT` in the directory. Another one means another layout. */
const format = 'eddy disk tier, format 1\n';
const queuePiecesMax = 65_536;
const forgottenMax = 65_536;
/** Open at once, unless more are being read. */
const tableFilesMax = 512;

export interface OpenedStore {
  readonly parts: StoreParts;
  close(): Promise<void>;
}

/** See `DiskTier.open`. */
export async function openStore(directory: string, settings: DiskSettings): Promise<OpenedStore> {
  const startMs = performance.now();
  const store = await usableDirectory(directory);
  const lock = await withRoom(store, settings, () => lockDirectory(store)).catch((error: unknown) => {
    throw unusable(store, error);
  });
  let marks: CrashMarks | undefined;
  try {
    await checkFormat(store, settings);
    if (settings.startsEmpty) await forgetAll(store);
    marks = new CrashMarks(join(store, 'marks'));
    const files = new TableFiles(tableFilesMax, ResidentReads.on(join(store, 'FORMAT')));
    const options = { directory: store, settings, marks, files };
    const { index, lost } = await withRoom(store, settings, () => IndexDatabase.open(options));
    if (lost) await removeGenerations(store);
    const generations = await openFilled(options, index);
    const parts = partsOf({ settings, index, generations, asideBytes: await asideBytes(store) });
    const { pieces, bytes, count } = generations;
    const ms = Math.round(performance.now() - startMs);
    settings.log.info({ directory: store, pieces, bytes, generations: count, ms }, 'the disk tier is open');
    return { parts, close: () => closeStore(parts, options.marks, lock) };
  } catch (error) {
    marks?.abandon();
    await closeLevel(lock);
    throw unusable(store, error);
  }
}

/** An index that opens but cannot be read is repaired, and failing that given up with all it knew. */
async function openFilled(options: GenerationsOptions, index: IndexDatabase): Promise<Generations> {
  const { directory, settings } = options;
  const open = () => withRoom(directory, settings, () => openGenerations(options, index));
  try {
    const found = await open().catch(async (error) => {
      if (troubleOf(error) !== 'corrupt') throw error;
      settings.log.warn({ directory, reason: reasonOf(error) }, 'the index of the disk tier cannot be read');
      if (await index.reopen()) await removeGenerations(directory);
      return open();
    });
    return new Generations(options, found);
  } catch (error) {
    await index.close();
    throw error;
  }
}

function partsOf(parts: Pick<StoreParts, 'settings' | 'index' | 'generations' | 'asideBytes'>): StoreParts {
  const { settings, index } = parts;
  return {
    ...parts,
    pieceIndex: new PieceIndex(index),
    entryIndex: new EntryIndex(index),
    open: new OpenRepresentations(settings.openPiecesMax),
    pieceQueue: new PieceQueue(settings.queueBytesMax, queuePiecesMax),
    entryQueue: new EntryQueue(),
    removals: new Set(),
    forgotten: new BoundedMap(forgottenMax),
    counts: { declined: 0, corrupt: 0, readFailures: 0, writtenBytes: 0, reappendedBytes: 0, evictedBytes: 0 },
  };
}

async function closeStore(parts: StoreParts, marks: CrashMarks, lock: Level): Promise<void> {
  await Promise.all([parts.generations.close(), parts.index.close()]);
  marks.close();
  await closeLevel(lock);
}

/** One spelling for each directory: LevelDB's lock within a process goes by the name. */
async function usableDirectory(directory: string): Promise<string> {
  const absolute = resolve(directory);
  try {
    await makeDirectory(absolute, { mode: 0o700 });
    return await realpath(absolute);
  } catch (error) {
    throw unusable(absolute, error);
  }
}

/** Holds LevelDB's lock on an empty database, whose other files are of no use to anyone. */
async function lockDirectory(store: string): Promise<Level> {
  const directory = join(store, 'lock');
  try {
    for (const name of await readdir(directory).catch(() => [])) {
      if (name !== 'LOCK') await removeTree(join(directory, name));
    }
    return await openLevel(directory, { create: true, writeBufferBytes: 65_536, cacheBytes: 0, fileBytes: 2 ** 20 });
  } catch (error) {
    // Any other trouble came after the lock, so nobody else is in there.
    if (troubleOf(error) !== 'locked') throw error;
    const message = `disk tier directory ${store} is in use by another process, or twice in this one: give each its own`;
    throw new EddyError('disk-failed', message, { side: 'internal', cause: error });
  }
}

/** What another format left, or something that is no format at all, is a cache that can be filled again. */
async function checkFormat(store: string, { log }: DiskSettings): Promise<void> {
  const path = join(store, 'FORMAT');
  const found = await readFile(path, 'utf8').catch(() => undefined);
  if (found === format) return;
  if (found !== undefined && /^eddy disk tier, format \d+\n$/.test(found)) {
    log.warn({ directory: store, found: found.trim(), wanted: format.trim() }, 'another format; starting empty');
    await forgetAll(store);
  }
  await writeFile(path, format).catch(() => undefined);
}

/** Without its index nothing of a store is found again. */
async function forgetAll(store: string): Promise<void> {
  await deleteDirectory(join(store, 'index'));
  await removeGenerations(store);
}

async function removeGenerations(store: string): Promise<void> {
  for (const number of await generationNumbersIn(store)) await removeTree(generationPath(store, number));
}

/** Opening takes some room on the disk: while there is none, the oldest generation goes. */
async function withRoom<T>(store: string, { log }: DiskSettings, open: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const [oldest] = await generationNumbersIn(store);
      if (troubleOf(error) !== 'full' || oldest === undefined) throw error;
      log.warn({ directory: store, generation: oldest }, 'the disk is full; the oldest generation is deleted to start');
      await deleteDirectory(generationPath(store, oldest)).catch(() => {
        throw error;
      });
    }
  }
}

function unusable(store: string, error: unknown): EddyError {
  if (error instanceof EddyError) return error;
  const code = troubleOf(error) === 'full' ? 'disk-full' : 'disk-failed';
  const message = `disk tier directory ${store} cannot be used: ${reasonOf(error)}`;
  return new EddyError(code, message, { side: 'internal', cause: error });
}
