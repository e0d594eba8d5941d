import { mkdtemp, readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Entry } from '../../src/cache/types.ts';
import type { DiskLog, DiskOptions } from '../../src/disk/options.ts';
import { DiskTier } from '../../src/disk/tier.ts';
import { Fields } from '../../src/fields.ts';
import { removeTree } from './remove-tree.ts';

export const mebibyte = 1024 * 1024;

/** A log that keeps the messages. */
export class KeptLog implements DiskLog {
  readonly lines: string[] = [];

  debug(): void {}

  info(about: object, message: string): void {
    this.lines.push(`info ${message} ${JSON.stringify(about)}`);
  }
  warn(about: object, message: string): void {
    this.lines.push(`warn ${message} ${JSON.stringify(about)}`);
  }
  error(about: object, message: string): void {
    this.lines.push(`error ${message} ${JSON.stringify(about)}`);
  }
}

export async function temporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'eddy-disk-'));
  return { path, remove: () => removeTree(path) };
}

export async function openDisk(directory: string, options: Partial<DiskOptions> = {}): Promise<DiskTier> {
  return DiskTier.open({ directory, bytesMax: 64 * mebibyte, log: new KeptLog(), ...options });
}

export function entryOf(key: string, id: number, fields: Record<string, string> = {}): Entry {
  const variant = {
    id,
    status: 200,
    fields: Fields.of({ 'content-type': 'video/mp4', etag: `"${id}"`, ...fields }),
    completeLength: undefined,
    requestTimeMs: 1_700_000_000_000,
    responseTimeMs: 1_700_000_000_050,
    vary: [['accept-encoding', null]] as const,
    invalidated: false,
  };
  return { key, variants: [variant] };
}

/** A signal that never aborts. */
export const never = new AbortController().signal;

/** What the files below a directory take. */
export async function bytesBelow(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true }).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(directory, name)).then(
      (found) => (found.isFile() ? found.size : 0),
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
