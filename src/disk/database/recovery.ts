import { execFile } from 'node:child_process';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DiskLog } from '../options.ts';
import { type Level, type LevelSizes, openLevel, reasonOf, troubleOf } from './level.ts';

/** How many databases that could not be mended are kept for whoever wants to look at them. */
const asideMax = 2;
/** For checking or repairing one database in a child process: so long, and what a slow disk takes to read it. */
const probeMsLeast = 10_000;
const probeBytesPerMs = 50_000;

interface MendOptions {
  readonly sizes: LevelSizes;
  /** The process ended while this database was in use, again and again. */
  readonly suspect: boolean;
  /** It is known to be damaged. */
  readonly repair: boolean;
  readonly log: DiskLog;
}

/**
 * Opens an existing database. One that does not open, or is suspect, is checked and repaired in a child process, since
 * both may end the process that does it; what cannot be mended is set aside.
 * @returns undefined when it was set aside. @throws LevelDB's error when it is locked, or the system refuses.
 */
export async function openOrMend(directory: string, options: MendOptions): Promise<Level | undefined> {
  const { sizes, log } = options;
  if (!options.repair && (!options.suspect || (await probe('check', directory)))) {
    try {
      return await openLevel(directory, { ...sizes, create: false });
    } catch (error) {
      const trouble = troubleOf(error);
      if (trouble === 'locked' || trouble === 'full' || trouble === 'refused') throw error;
      log.warn({ directory, reason: reasonOf(error) }, 'a database of the disk tier does not open');
    }
  }
  log.warn({ directory }, 'a database of the disk tier is damaged; repairing it');
  if (await probe('repair', directory)) {
    try {
      return await openLevel(directory, { ...sizes, create: false });
    } catch (error) {
      log.warn({ directory, reason: reasonOf(error) }, 'a repaired database of the disk tier does not open');
    }
  }
  await setAside(directory, log);
  return undefined;
}

/** Renames a database so that nobody opens it again; of those so renamed only the newest few are kept. */
async function setAside(directory: string, log: DiskLog): Promise<void> {
  const parent = dirname(directory);
  const before = await asideIn(parent);
  const number = 1 + Math.max(0, ...before.map(asideNumber));
  const to = join(parent, `${basename(directory)}.bad-${number}`);
  log.error(
    { directory, to },
    'a database of the disk tier cannot be mended; it is set aside and what it held is lost',
  );
  await rename(directory, to).catch(() => removeTree(directory));
  const surplus = before
    .sort((a, b) => asideNumber(a) - asideNumber(b))
    .slice(0, Math.max(0, before.length + 1 - asideMax));
  for (const name of surplus) await removeTree(join(parent, name));
}

/** Bytes in databases that were set aside. */
export async function asideBytes(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await asideIn(directory)) bytes += await directoryBytes(join(directory, name));
  return bytes;
}

/** Bytes of the files in a directory; what cannot be looked at counts nothing. */
export async function directoryBytes(directory: string): Promise<number> {
  const names = await readdir(directory).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(directory, name)).then(
        (s) => s.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * Deletes a database so that one that is half deleted is never taken for a damaged one. Rejects when it is still there;
 * under its other name it may stay, until `finishDropping` succeeds.
 */
export async function deleteDirectory(directory: string): Promise<void> {
  const gone = `${directory}.gone`;
  try {
    await rename(directory, gone);
  } catch {
    return rm(directory, { recursive: true, force: true });
  }
  await removeTree(gone);
}

/** The same for one that nobody opens again: where it stays it takes room and does no harm. */
export async function dropDirectory(directory: string): Promise<void> {
  await deleteDirectory(directory).catch(() => undefined);
}

/** Deletes what a process that ended had begun to delete. */
export async function finishDropping(parent: string): Promise<void> {
  for (const name of await readdir(parent)) if (name.endsWith('.gone')) await removeTree(join(parent, name));
}

/** Deletes what is of no use, as far as it can be. */
export async function removeTree(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true }).catch(() => undefined);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Runs `probe.ts`. */
async function probe(mode: 'check' | 'repair', directory: string): Promise<boolean> {
  const timeoutMs = probeMsLeast + (await directoryBytes(directory)) / probeBytesPerMs;
  const script = fileURLToPath(new URL('./probe.ts', import.meta.url));
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    const options = { timeout: Math.ceil(timeoutMs), killSignal: 'SIGKILL', env } as const;
    execFile(process.execPath, [script, mode, directory], options, (error) => resolve(error === null));
  });
}

async function asideIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).filter((name) => /\.bad-\d{1,9}$/.test(name));
}

function asideNumber(name: string): number {
  return Number(name.slice(name.lastIndexOf('-') + 1));
}
