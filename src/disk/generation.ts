import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RepresentationId } from '../cache/types.ts';
import { type CrashMarks, generationSlot } from './crash-marks.ts';
import type { GenerationState } from './index-records.ts';
import { closeLevel, type Level, levelDeadlineMs, withDeadline } from './level.ts';
import { PieceReads } from './piece-reads.ts';
import { decodePiece, encodePiece, type PieceName, pieceHeaderBytes } from './piece-record.ts';
import { dropDirectory } from './recovery.ts';

/** What LevelDB adds to a record: key, lengths, its share of the block index. */
const recordOverheadBytes = 40;

/** Bytes that a piece takes in a generation. */
export const storedBytes = (length: number): number => pieceHeaderBytes + length + recordOverheadBytes;

export interface GenerationOptions {
  readonly number: number;
  readonly directory: string;
  readonly level: Level;
  readonly marks: CrashMarks;
  readonly state: GenerationState;
}

/** The directory name of a generation, and back. */
export const generationName = (number: number): string => `generation-${String(number).padStart(10, '0')}`;

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
    await this.#use(() => withDeadline(this.#level.batch(operations), levelDeadlineMs, `writing to ${this.directory}`));
    return sequences;
  }

  /** The piece of that sequence number; undefined when it is not there or not intact. Rejects when reading fails. */
  async read(sequence: number, expected: PieceName): Promise<Buffer | undefined> {
    const record = await this.#use(() => this.#level.get(sequenceKey(sequence), { fillCache: false }));
    return record === undefined ? undefined : decodePiece(record, expected);
  }

  /** As `read`, in this thread, which waits for the device if it must. Throws when reading fails. */
  readNow(sequence: number, expected: PieceName): Buffer | undefined {
    if (this.#users++ === 0) this.#marks.enter(this.#slot);
    try {
      const record = this.#level.getSync(sequenceKey(sequence), { fillCache: false });
      return record === undefined ? undefined : decodePiece(record, expected);
    } finally {
      if (--this.#users === 0) this.#marks.leave(this.#slot);
    }
  }

  /** Never reuses a sequence number, even when the index lost the last ones. */
  async skipWritten(): Promise<void> {
    const [last] = await this.#use(() => this.#level.keys({ reverse: true, limit: 1 }).all());
    if (last?.length === 4) this.sequence = Math.max(this.sequence, last.readUInt32BE(0) + 1);
  }

  /** Nothing more will be written: moves the log into a table, which frees the write buffer. */
  async seal(): Promise<void> {
    const [from, to] = [sequenceKey(this.sequence), sequenceKey(0xffffffff)];
    await this.#use(() =>
      withDeadline(this.#level.compactRange(from, to), levelDeadlineMs, `flushing ${this.directory}`),
    );
    this.isFlushed = true;
  }

  /** Waits for reads under way, bounded. */
  async close(timeoutMs: number): Promise<void> {
    await closeLevel(this.#level, timeoutMs);
    this.#marks.leave(this.#slot);
  }

  /** Closes and deletes it. */
  async destroy(timeoutMs: number): Promise<void> {
    await closeLevel(this.#level, timeoutMs);
    await withDeadline(dropDirectory(this.directory), levelDeadlineMs, `deleting ${this.directory}`).catch(
      () => undefined,
    );
    this.#marks.clear(this.#slot);
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
