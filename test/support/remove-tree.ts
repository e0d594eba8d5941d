import { rm } from 'node:fs/promises';

/** Removes a directory that a store, or a process that was told to end, may still add a file to meanwhile. */
export async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10 });
}
