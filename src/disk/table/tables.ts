import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pieceBytes } from '../../cache/types.ts';
import { partitionPoint } from '../../partition-point.ts';
import { pieceHeaderBytes } from '../record/piece-record.ts';
import { Table } from './table.ts';
import type { TableFiles } from './table-files.ts';
import { type BlockHandle, compressedMark, recordIn } from './table-format.ts';

/** A block is ended by the entry that fills its 4 KB. */
const blockBytesMax = pieceBytes + pieceHeaderBytes + 8192;
const loadsAtOnce = 8;

/** Where a record is: in this block of that table. */
interface RecordPlace extends BlockHandle {
  readonly path: string;
  readonly sequence: number;
}

/**
 * The tables of one generation, read past LevelDB: a record lies in its table in one piece, so it takes one copy out of
 * the page cache, and a file that is damaged or cut short is a wrong digest or a short read. LevelDB maps its tables,
 * and ends the process there.
 */
export class Tables {
  readonly #directory: string;
  readonly #files: TableFiles;
  /** By first sequence number. */
  #tables: readonly Table[] = [];
  #last = -1;
  #usable = true;
  #listing: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(directory: string, files: TableFiles) {
    this.#directory = directory;
    this.#files = files;
  }

  /** False once something compressed was found, which is for LevelDB to read. */
  get usable(): boolean {
    return this.#usable;
  }

  /** Looks for tables that were finished since. Rejects when that cannot be seen: nothing is known anew then. */
  list(): Promise<void> {
    const listed = this.#listing.then(() => this.#list());
    this.#listing = listed.catch(() => undefined);
    return listed;
  }

  place(sequence: number): RecordPlace | undefined {
    if (sequence > this.#last || !this.#usable) return undefined;
    const tables = this.#tables;
    const table = tables[partitionPoint(tables.length, (i) => (tables[i]?.first ?? 0) <= sequence) - 1];
    const block = table?.blockOf(sequence);
    if (table === undefined || block === undefined || block.size > blockBytesMax) return undefined;
    return { path: table.path, sequence, ...block };
  }

  /** The record, if all of it is in memory, so far as that can be told; `later` when a device is to be waited for. */
  readNow(place: RecordPlace): Buffer | undefined | 'later' {
    const block = Buffer.allocUnsafeSlow(place.size + 1);
    if (this.#files.readNow(place.path, block, place.offset)) return this.#recordIn(block, place.sequence);
    block.buffer.transfer(0);
    return 'later';
  }

  /** The record; undefined when it is not there. Rejects when the file cannot be read. */
  async read(place: RecordPlace): Promise<Buffer | undefined> {
    const block = Buffer.allocUnsafeSlow(place.size + 1);
    const size = await this.#files.read(place.path, block, place.offset);
    return size === block.length ? this.#recordIn(block, place.sequence) : undefined;
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    for (const { path } of this.#tables) this.#files.forget(path);
    this.#tables = [];
  }

  async #list(): Promise<void> {
    const known = new Map(this.#tables.map((table) => [table.path, table]));
    const names = await readdir(this.#directory);
    const paths = names.filter((name) => /^\d+\.(?:ldb|sst)$/.test(name)).map((name) => join(this.#directory, name));
    const tables: Table[] = [];
    for (let i = 0; i < paths.length; i += loadsAtOnce) {
      const few = paths.slice(i, i + loadsAtOnce);
      const loaded = await Promise.all(few.map((path) => known.get(path) ?? this.#load(path)));
      if (loaded.includes('compressed')) this.#usable = false;
      tables.push(...loaded.filter((table) => table instanceof Table));
    }
    tables.sort((a, b) => a.first - b.first);
    const last = (await tables.at(-1)?.last(this.#files)) ?? -1;
    if (this.#closed) return;
    this.#tables = tables;
    this.#last = last;
    for (const path of known.keys()) if (!paths.includes(path)) this.#files.forget(path);
  }

  #recordIn(block: Buffer, sequence: number): Buffer | undefined {
    const end = block.length - 1;
    if (block[end] === compressedMark) this.#usable = false;
    return block[end] === 0 ? recordIn(block.subarray(0, end), sequence) : undefined;
  }

  async #load(path: string): Promise<Table | 'compressed' | undefined> {
    try {
      const table = await Table.load(path, this.#files);
      if (!(table instanceof Table) || this.#closed) this.#files.forget(path);
      return table;
    } catch (error) {
      this.#files.forget(path);
      // Gone since it was listed.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
