import { ClassicLevel } from 'classic-level';
import { EddyError } from '../../errors.ts';

export type Level = ClassicLevel<Buffer, Buffer>;
export type LevelOperation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

export interface LevelSizes {
  readonly writeBufferBytes: number;
  readonly cacheBytes: number;
  readonly fileBytes: number;
}

/** What went wrong in LevelDB, as far as one must act on it. */
export type LevelTrouble = 'locked' | 'full' | 'refused' | 'corrupt' | 'closed' | 'failed';

/** Deadline of one LevelDB write or scan step; a device that takes longer counts as failed. */
export const levelDeadlineMs = 30_000;
/** A read that takes longer is a miss, and speaks against the device. */
export const readDeadlineMs = 5_000;
/** For a database, or what is queued, when the tier closes. */
export const closeDeadlineMs = 5_000;

/** Opens the database at `directory`, making it first when `create` is set. */
export async function openLevel(directory: string, options: LevelSizes & { create: boolean }): Promise<Level> {
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    // Media does not compress, and an uncompressed block is read straight from the mapped file.
    compression: false,
    createIfMissing: options.create,
    errorIfExists: options.create,
    writeBufferSize: options.writeBufferBytes,
    cacheSize: options.cacheBytes,
    maxFileSize: options.fileBytes,
    maxOpenFiles: 100,
  });
  await withDeadline(level.open(), levelDeadlineMs, `opening ${directory}`);
  return level;
}

/** Closes without ever throwing; a close that hangs is left behind after its deadline. */
export async function closeLevel(level: Level): Promise<void> {
  await withDeadline(level.close(), closeDeadlineMs, `closing ${level.location}`).catch(() => undefined);
}

export function troubleOf(error: unknown): LevelTrouble {
  const texts: string[] = [];
  for (let each: unknown = error; each instanceof Error && texts.length < 8; each = each.cause) {
    const code = (each as { code?: unknown }).code;
    texts.push(`${typeof code === 'string' ? code : ''} ${each.message}`);
  }
  const text = texts.join('\n');
  if (text.includes('LEVEL_LOCKED')) return 'locked';
  if (/No space left on device|ENOSPC|Disk quota exceeded|EDQUOT/.test(text)) return 'full';
  if (/Too many open files|Permission denied|Read-only file system|Cannot allocate memory/.test(text)) return 'refused';
  if (/LEVEL_CORRUPTION|LEVEL_INVALID|Corruption|Invalid argument|No such file/.test(text)) return 'corrupt';
  return text.includes('LEVEL_DATABASE_NOT_OPEN') ? 'closed' : 'failed';
}

/** The innermost message: what LevelDB or the system said. */
export function reasonOf(error: unknown): string {
  let inner = error;
  for (let depth = 0; depth < 8 && inner instanceof Error && inner.cause instanceof Error; depth++) inner = inner.cause;
  return inner instanceof Error ? inner.message : String(inner);
}

/** Rejects with `disk-failed` when `promise` takes longer; what it then comes to is ignored. */
export async function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const expire = () =>
      reject(new EddyError('disk-failed', `${what} took over ${timeoutMs} ms`, { side: 'internal' }));
    timer = setTimeout(expire, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
