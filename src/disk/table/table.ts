import { stat } from 'node:fs/promises';
import { partitionPoint } from '../../partition-point.ts';
import type { TableFiles } from './table-files.ts';
import {
  type BlockHandle,
  blockTrailerBytes,
  compressedMark,
  type DataBlocks,
  decodeFooter,
  decodeIndex,
  firstSequence,
  footerBytes,
  greatestSequence,
} from './table-format.ts';

/** What it takes to see the first key of a block. */
const startBytes = 64;
/** A table is a write buffer and one batch; offsets in it take 32 bits. */
const tableBytesMax = 2 ** 31;
const indexBytesMax = 64 * 1024 * 1024;

/** Where the values of one finished LevelDB table lie: 8 bytes in memory for each block, which is at least 4 KB. */
export class Table {
  readonly path: string;
  /** Its first sequence number. */
  readonly first: number;
  #last: number | undefined;
  readonly #blocks: DataBlocks;

  private constructor(path: string, first: number, blocks: DataBlocks) {
    this.path = path;
    this.first = first;
    this.#blocks = blocks;
  }

  /** Undefined for what is no whole table, or not yet. Rejects when it cannot be read. */
  static async load(path: string, files: TableFiles): Promise<Table | 'compressed' | undefined> {
    const { size } = await stat(path);
    if (size < footerBytes || size > tableBytesMax) return undefined;
    const footer = await bytesAt(path, files, { offset: size - footerBytes, size: footerBytes });
    const handle = footer && decodeFooter(footer);
    if (handle === undefined || handle.size > indexBytesMax || handle.offset + handle.size > size) return undefined;
    const index = await bytesAt(path, files, { offset: handle.offset, size: handle.size + 1 });
    if (index?.at(-1) === compressedMark) return 'compressed';
    const blocks = index && decodeIndex(index.subarray(0, -1), handle.offset);
    const end = (blocks?.offsets[1] ?? 0) - blockTrailerBytes;
    if (end >= 0 && (await bytesAt(path, files, { offset: end, size: 1 }))?.[0] === compressedMark) return 'compressed';
    const start = await bytesAt(path, files, { offset: 0, size: Math.min(startBytes, size) });
    const first = start && firstSequence(start);
    return blocks === undefined || first === undefined ? undefined : new Table(path, first, blocks);
  }

  /** Its last sequence number, which takes reading its last block. Rejects when that cannot be read. */
  async last(files: TableFiles): Promise<number> {
    if (this.#last !== undefined) return this.#last;
    const { offsets } = this.#blocks;
    const [offset = 0, next = 0] = offsets.slice(-2);
    const block = await bytesAt(this.path, files, { offset, size: Math.max(0, next - offset - blockTrailerBytes) });
    this.#last = (block && greatestSequence(block)) ?? this.first;
    return this.#last;
  }

  /** The block that holds that sequence number if it is one of the table's. */
  blockOf(sequence: number): BlockHandle | undefined {
    const { lasts, offsets } = this.#blocks;
    const at = partitionPoint(lasts.length, (i) => (lasts[i] ?? 0) < sequence);
    const [offset, next] = [offsets[at], offsets[at + 1]];
    if (offset === undefined || next === undefined) return undefined;
    return { offset, size: next - offset - blockTrailerBytes };
  }
}

async function bytesAt(path: string, files: TableFiles, { offset, size }: BlockHandle): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafeSlow(size);
  return (await files.read(path, bytes, offset)) === size ? bytes : undefined;
}
