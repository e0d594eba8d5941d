import type { BoundedMap } from '../../bounded-map.ts';
import type { RepresentationId } from '../../cache/types.ts';
import type { IndexDatabase } from '../database/index-database.ts';
import type { Generations } from '../generation/generations.ts';
import type { EntryIndex } from '../indexes/entry-index.ts';
import type { PieceIndex } from '../indexes/piece-index.ts';
import type { DiskSettings } from '../options.ts';
import type { EntryQueue } from './entry-queue.ts';
import type { OpenRepresentations } from './open-representations.ts';
import type { PieceQueue } from './piece-queue.ts';

/** What happened since the tier was opened. */
export interface DiskCounts {
  /** Pieces not taken: queue full, disk full or failed. */
  declined: number;
  /** Pieces that did not pass verification and were dropped. */
  corrupt: number;
  /** Reads that failed or took too long. */
  readFailures: number;
  /** Bytes of pieces written, second chances included. */
  writtenBytes: number;
  /** Bytes of pieces written again on their second chance. */
  reappendedBytes: number;
  evictedBytes: number;
}

/** What the parts of an opened store share. */
export interface StoreParts {
  readonly settings: DiskSettings;
  readonly index: IndexDatabase;
  readonly pieceIndex: PieceIndex;
  readonly entryIndex: EntryIndex;
  readonly generations: Generations;
  readonly open: OpenRepresentations;
  readonly pieceQueue: PieceQueue;
  readonly entryQueue: EntryQueue;
  /** Representations to be forgotten by the index. */
  readonly removals: Set<RepresentationId>;
  /** Those it forgot lately, whose entries may be still on their way out. */
  readonly forgotten: BoundedMap<RepresentationId, true>;
  readonly counts: DiskCounts;
  /** Bytes in databases that were set aside. */
  readonly asideBytes: number;
}

/** Bytes that the store takes on disk. */
export function heldBytes(parts: StoreParts): number {
  return parts.generations.bytes + parts.index.bytes + parts.asideBytes;
}
