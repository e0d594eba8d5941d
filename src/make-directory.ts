import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes the directory and those above it that are missing. Rejects with the error of the system.
 *
 * `recursive` of `mkdir` is no use: where a file system has no room for directories it says ENOENT (/proc), and Node then
 * goes up and down without end.
 */
export async function makeDirectory(path: string, options: { mode?: number } = {}): Promise<void> {
  try {
    await mkdir(path, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectory(dirname(path), options);
    await mkdir(path, options).catch(unlessExists);
  }
}

/** Somebody else made it in the meantime. */
function unlessExists(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
