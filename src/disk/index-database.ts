import { join } from 'node:path';
import { type CrashMarks, indexSlot } from './crash-marks.ts';
import type { KeyRange } from './index-records.ts';
import { closeLevel, type Level, type LevelOperation, levelDeadlineMs, openLevel, withDeadline } from './level.ts';
import type { DiskSettings } from './options.ts';
import { directoryBytes, exists, openOrMend } from './recovery.ts';

const mebibyte = 1024 * 1024;

/** The LevelDB that says what is stored where. It can be reopened in place after its device failed. */
export class IndexDatabase {
  readonly directory: string;
  readonly #settings: DiskSettings;
  readonly #marks: CrashMarks;
  #level: Level;
  /** Bytes of its files when last looked at. */
  bytes = 0;

  private constructor(level: Level, options: { directory: string; settings: DiskSettings; marks: CrashMarks }) {
    this.#level = level;
    this.directory = options.directory;
    this.#settings = options.settings;
    this.#marks = options.marks;
  }

  /** @returns also whether an index was there and had to be set aside. */
  static async open(
    store: string,
    settings: DiskSettings,
    marks: CrashMarks,
  ): Promise<{ index: IndexDatabase; lost: boolean }> {
    const directory = join(store, 'index');
    marks.enter(indexSlot);
    const { level, lost } = await openIndex(directory, settings, { marks, repair: false });
    const index = new IndexDatabase(level, { directory, settings, marks });
    await index.measure();
    return { index, lost };
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return withDeadline(this.#level.get(key), this.#settings.readTimeoutMs, `reading ${this.directory}`);
  }

  async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return withDeadline(this.#level.getMany(keys), levelDeadlineMs, `reading ${this.directory}`);
  }

  async write(operations: LevelOperation[]): Promise<void> {
    if (operations.length === 0) return;
    await withDeadline(this.#level.batch(operations), levelDeadlineMs, `writing to ${this.directory}`);
  }

  /** The records of a range as they are at the call, a few at a time. Rejects when reading fails. */
  scan(range: KeyRange, options: { chunk?: number; reverse?: boolean } = {}): AsyncGenerator<[Buffer, Buffer][]> {
    const { chunk = 500, reverse = false } = options;
    const iterator = this.#level.iterator({ ...range, reverse, highWaterMarkBytes: 256 * 1024 });
    return chunks(
      () => iterator.nextv(chunk),
      () => iterator.close(),
      this.directory,
    );
  }

  /** The keys of a range as they are at the call. */
  scanKeys(range: KeyRange): AsyncGenerator<Buffer[]> {
    const iterator = this.#level.keys({ ...range, highWaterMarkBytes: 64 * 1024 });
    return chunks(
      () => iterator.nextv(500),
      () => iterator.close(),
      this.directory,
    );
  }

  async hasAny(range: KeyRange): Promise<boolean> {
    const keys = this.#level.keys({ ...range, limit: 1 }).all();
    return (await withDeadline(keys, levelDeadlineMs, `reading ${this.directory}`)).length > 0;
  }

  async clear(range: KeyRange): Promise<void> {
    await withDeadline(this.#level.clear(range), levelDeadlineMs, `clearing a range of ${this.directory}`);
  }

  async measure(): Promise<void> {
    this.bytes = await directoryBytes(this.directory);
  }

  /**
   * After a failed write LevelDB takes no more until it is opened anew, after a corruption it first needs a repair.
   * @returns whether what it held is lost.
   */
  async reopen(repair: boolean): Promise<boolean> {
    await closeLevel(this.#level, this.#settings.closeTimeoutMs);
    const { level, lost } = await openIndex(this.directory, this.#settings, { marks: this.#marks, repair });
    this.#level = level;
    return lost;
  }

  async close(timeoutMs: number): Promise<void> {
    await closeLevel(this.#level, timeoutMs);
    this.#marks.leave(indexSlot);
  }
}

async function openIndex(
  directory: string,
  settings: DiskSettings,
  { marks, repair }: { marks: CrashMarks; repair: boolean },
): Promise<{ level: Level; lost: boolean }> {
  const sizes = {
    writeBufferBytes: settings.indexWriteBufferBytes,
    cacheBytes: 8 * mebibyte,
    fileBytes: 2 * mebibyte,
  };
  let lost = false;
  if (await exists(directory)) {
    const { log, probeTimeoutMs } = settings;
    const suspect = marks.isSuspect(indexSlot);
    const level = await openOrMend(directory, { sizes, suspect, repair, probeTimeoutMs, log });
    if (suspect) marks.clear(indexSlot);
    marks.enter(indexSlot);
    if (level !== undefined) return { level, lost };
    lost = true;
  }
  return { level: await openLevel(directory, { ...sizes, create: true }), lost };
}

async function* chunks<T>(
  next: () => Promise<T[]>,
  close: () => Promise<void>,
  directory: string,
): AsyncGenerator<T[]> {
  try {
    for (;;) {
      const chunk = await withDeadline(next(), levelDeadlineMs, `scanning ${directory}`);
      if (chunk.length === 0) return;
      yield chunk;
    }
  } finally {
    // Not awaited: it waits for a step under way, which may hang with its device.
    close().catch(() => undefined);
  }
}
