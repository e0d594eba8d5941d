import { readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { LoadOptions } from './load.ts';

/** What defaults and bounds come from on the machine this runs on. */
export const machine: Omit<LoadOptions, 'argv' | 'env'> = {
  readFile: (path) => readFileSync(path, 'utf8'),
  memoryBytes: memoryBytes(),
  cores: availableParallelism(),
  diskFreeBytes,
};

/** The memory of the machine, or of the container it is given. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** What is free on the file system, and what the directory takes of it already: a restart must not shrink the budget. */
function diskFreeBytes(directory: string): number {
  for (let path = directory; ; path = dirname(path)) {
    try {
      const { bavail, bsize } = statfsSync(path);
      return bavail * bsize + (path === directory ? bytesIn(directory) : 0);
    } catch {
      // Not made yet: its parent is on the same file system, as far as anybody can know.
      if (path === dirname(path)) return 0;
    }
  }
}

function bytesIn(directory: string): number {
  try {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.reduce((bytes, { parentPath, name }) => bytes + bytesOf(join(parentPath, name)), 0);
  } catch {
    return 0;
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
