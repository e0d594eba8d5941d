import { join } from 'node:path';
import type { DiskSettings } from '../options.ts';
import { fences, type KeyRange } from '../record/index-records.ts';
import { type CrashMarks, indexSlot } from './crash-marks.ts';
import {
  closeLevel,
  type Level,
  type LevelOperation,
  levelDeadlineMs,
  openLevel,
  readDeadlineMs,
  troubleOf,
  withDeadline,
} from './level.ts';
import { directoryBytes, exists, openOrMend } from './recovery.ts';

const mebibyte = 1024 * 1024;
/**
 * Records that a scan asks for at first. LevelDB's iterator takes 64 bytes for each that it is asked for, and gives them
 * back when it is collected, which is long after it was closed; most representations have few pieces.
 */
const firstChunk = 16;

/** The LevelDB that says what is stored where. It can be reopened in place after its device failed. */
export class IndexDatabase {
  readonly directory: string;
  readonly #settings: DiskSettings;
  readonly #marks: CrashMarks;
  #level: Level;
  #isDamaged = false;
  /** Bytes of its files when last looked at. */
  bytes = 0;

  private constructor(level: Level, options: { directory: string; settings: DiskSettings; marks: CrashMarks }) {
    this.#level = level;
    this.directory = options.directory;
    this.#settings = options.settings;
    this.#marks = options.marks;
  }

  /** @returns also whether an index was there and had to be set aside. */
  static async open(options: {
    directory: string;
    settings: DiskSettings;
    marks: CrashMarks;
  }): Promise<{ index: IndexDatabase; lost: boolean }> {
    const { settings, marks } = options;
    const directory = join(options.directory, 'index');
    marks.enter(indexSlot);
    try {
      const { level, lost } = await openIndex(directory, settings, { marks, repair: false });
      const index = new IndexDatabase(level, { directory, settings, marks });
      await index.measure();
      return { index, lost };
    } catch (error) {
      marks.leave(indexSlot);
      throw error;
    }
  }

  async get(key: Buffer): Promise<Buffer | undefined> {
    return this.#step(this.#level.get(key), 'reading', readDeadlineMs);
  }

  async getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#step(this.#level.getMany(keys), 'reading');
  }

  async write(operations: LevelOperation[]): Promise<void> {
    if (operations.length > 0) await this.#step(this.#level.batch(operations), 'writing to');
  }

  /** The records of a range as they are at the call, a few at a time. Rejects when reading fails. */
  scan(range: KeyRange, chunk = 500): AsyncGenerator<[Buffer, Buffer][]> {
    const iterator = this.#level.iterator({ ...range, highWaterMarkBytes: 256 * 1024 });
    return this.#chunks(
      (turn) => iterator.nextv(turn === 0 ? firstChunk : chunk),
      () => iterator.close(),
    );
  }

  /** The keys of a range as they are at the call. */
  scanKeys(range: KeyRange): AsyncGenerator<Buffer[]> {
    const iterator = this.#level.keys({ ...range, highWaterMarkBytes: 64 * 1024 });
    return this.#chunks(
      () => iterator.nextv(500),
      () => iterator.close(),
    );
  }

  async hasAny(range: KeyRange): Promise<boolean> {
    return (await this.#step(this.#level.keys({ ...range, limit: 1 }).all(), 'reading')).length > 0;
  }

  async clear(range: KeyRange): Promise<void> {
    await this.#step(this.#level.clear(range), 'clearing a range of');
  }

  async measure(): Promise<void> {
    this.bytes = await withDeadline(directoryBytes(this.directory), levelDeadlineMs, `measuring ${this.directory}`);
  }

  /**
   * After a failed write LevelDB takes no more until it is opened anew; once damage was seen it is repaired first.
   * @returns whether what it held is lost.
   */
  async reopen(): Promise<boolean> {
    await closeLevel(this.#level);
    const options = { marks: this.#marks, repair: this.#isDamaged };
    const { level, lost } = await openIndex(this.directory, this.#settings, options);
    this.#level = level;
    this.#isDamaged = false;
    return lost;
  }

  async close(): Promise<void> {
    await closeLevel(this.#level);
    this.#marks.leave(indexSlot);
  }

  async *#chunks<T>(next: (turn: number) => Promise<T[]>, close: () => Promise<void>): AsyncGenerator<T[]> {
    try {
      for (let turn = 0; ; turn++) {
        const chunk = await this.#step(next(turn), 'scanning');
        if (chunk.length === 0) return;
        yield chunk;
      }
    } finally {
      // Not awaited: it waits for a step under way, which may hang with its device.
      close().catch(() => undefined);
    }
  }

  /** One call of LevelDB, with a deadline; remembers damage that it met. */
  async #step<T>(call: Promise<T>, doing: string, timeoutMs = levelDeadlineMs): Promise<T> {
    try {
      return await withDeadline(call, timeoutMs, `${doing} ${this.directory}`);
    } catch (error) {
      if (troubleOf(error) === 'corrupt') this.#isDamaged = true;
      throw error;
    }
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
  const existed = await exists(directory);
  let level: Level | undefined;
  if (existed) {
    const suspect = marks.isSuspect(indexSlot);
    level = await openOrMend(directory, { sizes, suspect, repair, log: settings.log });
    if (suspect) marks.clear(indexSlot);
    marks.enter(indexSlot);
  }
  const lost = existed && level === undefined;
  level ??= await openLevel(directory, { ...sizes, create: true });
  return { level: await withFences(level), lost };
}

async function withFences(level: Level): Promise<Level> {
  try {
    const puts = fences.map((key) => ({ type: 'put', key, value: Buffer.alloc(0) }) as const);
    await withDeadline(level.batch(puts), levelDeadlineMs, `writing to ${level.location}`);
    return level;
  } catch (error) {
    await closeLevel(level);
    throw error;
  }
}
