import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepresentationId } from '../../cache/types.ts';
import { type CrashMarks, generationSlot } from '../database/crash-marks.ts';
import { closeLevel, type Level, levelDeadlineMs, withDeadline } from '../database/level.ts';
import { dropDirectory } from '../database/recovery.ts';
import type { GenerationState } from '../record/index-records.ts';
import { decodePiece, encodePiece, type PieceName, pieceHeaderBytes } from '../record/piece-record.ts';
import type { TableFiles } from '../table/table-files.ts';
import { Tables } from '../table/tables.ts';
import { PieceReads } from './piece-reads.ts';

/** What LevelDB adds to a record: key, lengths, its share of the block index. */
const recordOverheadBytes = 40;

/** Bytes that a piece takes in a generation. */
export const storedBytes = (length: number): number => pieceHeaderBytes + length + recordOverheadBytes;

interface GenerationOptions {
  readonly number: number;
  readonly directory: string;
  readonly level: Level;
  readonly marks: CrashMarks;
  readonly state: GenerationState;
  readonly files: TableFiles;
}

/** Bytes after whose writing it is looked for new tables. */
const listEveryBytes = 8 * 1024 * 1024;

/** The directory name of a generation, and back. */
const generationName = (number: number): string => `generation-${String(number).padStart(10, '0')}`;

export async function generationNumbersIn(directory: string): Promise<number[]> {
  const names = await readdir(directory);
  const numbers = names.map((name) => Number(/^generation-(\d{10})$/.exec(name)?.[1] ?? Number.NaN));
  return numbers.filter((number) => number > 0 && number < 2 ** 32).sort((a, b) => a - b);
}

/**
 * A LevelDB of its own that is filled in order, read for a while, and then dropped as a whole: no record is ever
 * deleted or moved, so nothing is written twice. Keys are sequence numbers (4 bytes), values piece records.
 */
export class Generation {
  readonly number: number;
  readonly directory: string;
  readonly #level: Level;
  readonly #marks: CrashMarks;
  readonly #slot: number;
  #users = 0;
  readonly reads: PieceReads;
  readonly #tables: Tables;
  readonly #knowsResident: boolean;
  /** How often it was written to, or flushed; and how often that was when its tables were looked for, -1 for never. */
  #changes = 0;
  #listedChanges = -1;
  #unlistedBytes = 0;
  /** Written since `seal` last emptied the write buffer. */
  unflushedBytes = 0;
  /** Nothing is left in the write buffer. */
  isFlushed: boolean;
  bytes: number;
  sequence: number;
  /** Pieces that the index still names; entries of the index count as none. */
  pieces: number;

  constructor(options: GenerationOptions) {
    this.number = options.number;
    this.directory = options.directory;
    this.#level = options.level;
    this.#marks = options.marks;
    this.#slot = generationSlot(options.number);
    this.bytes = options.state.bytes;
    this.sequence = options.state.sequence;
    this.pieces = options.state.pieces;
    this.isFlushed = true;
    this.#tables = new Tables(options.directory, options.files);
    this.#knowsResident = options.files.knowsResident;
    this.reads = new PieceReads(Math.min(this.sequence, 2 ** 20));
  }

  /** Writes pieces in one batch; returns their sequence numbers. `scratch` is used until then. */
  async append(
    pieces: readonly { id: RepresentationId; first: number; bytes: Buffer }[],
    scratch: Buffer,
  ): Promise<number[]> {
    const operations: { type: 'put'; key: Buffer; value: Buffer }[] = [];
    const sequences: number[] = [];
    let offset = 0;
    for (const piece of pieces) {
      const length = encodePiece(piece, scratch, offset);
      operations.push({
        type: 'put',
        key: sequenceKey(this.sequence),
        value: scratch.subarray(offset, offset + length),
      });
      sequences.push(this.sequence);
      offset += length;
      this.sequence++;
      this.bytes += storedBytes(piece.bytes.length);
    }
    this.isFlushed = false;
    this.#changes++;
    await this.#use(() => withDeadline(this.#level.batch(operations), levelDeadlineMs, `writing to ${this.directory}`));
    this.#unlistedBytes += offset;
    this.unflushedBytes += offset;
    if (this.#unlistedBytes >= listEveryBytes) this.#list().catch(() => undefined);
    return sequences;
  }

  /** The piece of that sequence number; undefined when it is not there or not intact. Rejects when reading fails. */
  async read(sequence: number, expected: PieceName): Promise<Buffer | undefined> {
    if (!this.#isListed) await this.#list();
    const place = this.#tables.place(sequence);
    const record = (place && (await this.#tables.read(place))) ?? (await this.#readUnflushed(sequence));
    return record === undefined ? undefined : decodePiece(record, expected);
  }

  /**
   * As `read`, in this thread; `later` when the device would have to be waited for. Where the system does not tell,
   * `isLikelyResident` decides. Throws when reading fails.
   */
  readNow(sequence: number, expected: PieceName, isLikelyResident: boolean): Buffer | undefined | 'later' {
    const place = this.#tables.place(sequence);
    const isTable = place !== undefined;
    if (!isLikelyResident && !(isTable && this.#knowsResident)) return 'later';
    const record = (place && this.#tables.readNow(place)) ?? this.#readUnflushedNow(sequence);
    return record === undefined || record === 'later' ? record : decodePiece(record, expected);
  }

  /** Never reuses a sequence number, even when the index lost the last ones. */
  async skipWritten(): Promise<void> {
    const [last] = await this.#use(() => this.#level.keys({ reverse: true, limit: 1 }).all());
    if (last?.length === 4) this.sequence = Math.max(this.sequence, last.readUInt32BE(0) + 1);
  }

  /** Moves the log into a table, which empties the write buffer. Nothing may be written meanwhile. */
  async seal(): Promise<void> {
    const [from, to] = [sequenceKey(this.sequence), sequenceKey(0xffffffff)];
    await this.#use(() =>
      withDeadline(this.#level.compactRange(from, to), levelDeadlineMs, `flushing ${this.directory}`),
    );
    this.isFlushed = true;
    this.unflushedBytes = 0;
    this.#changes++;
    await this.#list().catch(() => undefined);
  }

  /** Waits for reads under way, bounded. */
  async close(): Promise<void> {
    this.#tables.close();
    await closeLevel(this.#level);
    this.#marks.leave(this.#slot);
  }

  /** Closes and deletes it. */
  async destroy(): Promise<void> {
    this.#tables.close();
    await closeLevel(this.#level);
    await withDeadline(dropDirectory(this.directory), levelDeadlineMs, `deleting ${this.directory}`).catch(
      () => undefined,
    );
    this.#marks.clear(this.#slot);
  }

  async #list(): Promise<void> {
    this.#unlistedBytes = 0;
    const changes = this.#changes;
    await this.#tables.list();
    this.#listedChanges = Math.max(this.#listedChanges, changes);
  }

  /** Tables are known, and if nothing is left in the write buffer, all of them. */
  get #isListed(): boolean {
    return this.isFlushed ? this.#listedChanges === this.#changes : this.#listedChanges >= 0;
  }

  /** So that LevelDB, which damaged tables can end the process in, need not be asked. Closed, it says so. */
  get #isAllInTables(): boolean {
    return this.isFlushed && this.#tables.usable && !this.#tables.closed;
  }

  /** What is in no table that is known may be in the write buffer, or in a table that was finished just now. */
  async #readUnflushed(sequence: number): Promise<Buffer | undefined> {
    if (this.#isAllInTables) return undefined;
    return this.#use(() => this.#level.get(sequenceKey(sequence), { fillCache: false }));
  }

  #readUnflushedNow(sequence: number): Buffer | undefined | 'later' {
    if (!this.#isListed) return 'later';
    if (this.#isAllInTables) return undefined;
    if (this.#users++ === 0) this.#marks.enter(this.#slot);
    try {
      return this.#level.getSync(sequenceKey(sequence), { fillCache: false });
    } finally {
      if (--this.#users === 0) this.#marks.leave(this.#slot);
    }
  }

  /** Marks the database as in use for as long as the work takes. */
  async #use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#users++ === 0) this.#marks.enter(this.#slot);
    try {
      return await work();
    } finally {
      if (--this.#users === 0) this.#marks.leave(this.#slot);
    }
  }
}

export const generationPath = (store: string, number: number): string => join(store, generationName(number));

function sequenceKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(sequence, 0);
  return key;
}
