import type { Entry, RepresentationId } from '../../cache/types.ts';
import { reasonOf, troubleOf } from '../database/level.ts';
import type { Generation } from '../generation/generation.ts';
import { storedBytes } from '../generation/generation.ts';
import type { IndexedPiece } from '../indexes/piece-index.ts';
import { reappendShareMax } from '../options.ts';
import type { EntryRecord } from '../record/entry-record.ts';
import type { StoreParts } from '../store/store-parts.ts';

const lookupsAtOnce = 64;

interface ReclaimOptions {
  readonly scratch: Buffer;
  /** Not its turn yet: entries without pieces that were saved then stay, as if they were saved now. */
  readonly early?: boolean;
}

/**
 * Lets a generation go: pieces that were read since they were written are appended to the newest one, the others are
 * forgotten, entries of which nothing is left with them; then it is deleted as a whole. Works as well for a generation
 * that is no more and has only left its traces in the index.
 * @throws LevelDB's error when the index cannot be written. Parts of it that cannot be read only leave garbage in it.
 */
export async function reclaim(parts: StoreParts, number: number, options: ReclaimOptions): Promise<void> {
  const { scratch } = options;
  const { generations, pieceIndex, entryIndex, settings, counts } = parts;
  const generation = generations.get(number);
  const lost = new Set<RepresentationId>();
  let room = Math.floor((generation?.bytes ?? 0) * reappendShareMax);
  let evictedBytes = 0;
  await tolerate(parts, async () => {
    for await (const pieces of pieceIndex.piecesIn(number)) {
      const forgotten: IndexedPiece[] = [];
      for (const piece of pieces) {
        const kept = generation !== undefined && (await keep(parts, { piece, generation, room, scratch }));
        if (kept) room -= storedBytes(piece.length);
        else forgotten.push(piece);
      }
      await pieceIndex.forget(forgotten);
      for (const piece of forgotten) {
        parts.open.drop(piece.id, piece.first, piece);
        lost.add(piece.id);
        evictedBytes += piece.length;
      }
    }
    await dropOrphaned(parts, lost);
    for await (const keys of entryIndex.savedDuring(number)) {
      for (let i = 0; i < keys.length; i += lookupsAtOnce) {
        const few = new Set(keys.slice(i, i + lookupsAtOnce));
        if (options.early === true) await carryOver(parts, number, few);
        else await dropEmpty(parts, few, number);
      }
    }
  });
  if (generation !== undefined) await generations.destroy(generation);
  await tolerate(parts, async () => {
    await entryIndex.forgetSavedDuring(number);
    await pieceIndex.forgetGeneration(number);
  });
  generations.missing.delete(number);
  counts.evictedBytes += evictedBytes;
  settings.onEvicted(evictedBytes);
}

/** Gives a piece its second chance, if it has earned one and there is room. */
async function keep(
  parts: StoreParts,
  what: { piece: IndexedPiece; generation: Generation; room: number; scratch: Buffer },
): Promise<boolean> {
  const { settings, generations, pieceIndex, counts, open } = parts;
  const { piece, generation, room } = what;
  const { active } = generations;
  const bytes = storedBytes(piece.length);
  if (generation === active || generation.reads.hits(piece.sequence) < settings.reappendHits) return false;
  if (bytes > room || active.bytes + bytes > settings.generationBytes) return false;
  const found = await generation.read(piece.sequence, piece).catch(() => undefined);
  if (found === undefined) return false;
  const [sequence = 0] = await active.append([{ id: piece.id, first: piece.first, bytes: found }], what.scratch);
  const moved = { ...piece, generation: active.number, sequence };
  active.pieces++;
  await pieceIndex.add([moved], [], [active]);
  open.move(piece.id, piece.first, { from: piece, to: moved });
  counts.writtenBytes += piece.length;
  counts.reappendedBytes += piece.length;
  return true;
}

/** Drops entries that lost their last piece. */
async function dropOrphaned(parts: StoreParts, lost: ReadonlySet<RepresentationId>): Promise<void> {
  const { entryIndex } = parts;
  const ids = [...lost];
  for (let i = 0; i < ids.length; i += lookupsAtOnce) {
    const few = ids.slice(i, i + lookupsAtOnce);
    const kept = await Promise.all(few.map((id) => hasPieces(parts, id)));
    const gone = few.filter((_, at) => kept[at] === false);
    const owners = await Promise.all(gone.map((id) => entryIndex.ownerOf(id)));
    await entryIndex.forgetOwners(gone);
    await dropEmpty(parts, new Set(owners.filter((key) => key !== undefined)));
  }
}

/** Saves entries that were last saved in that generation anew. */
async function carryOver(parts: StoreParts, number: number, keys: ReadonlySet<string>): Promise<void> {
  const { entryIndex, entryQueue, generations } = parts;
  const records = await Promise.all([...keys].map((key) => entryIndex.get(key)));
  const changes = records
    .filter((record) => record?.generation === number && entryQueue.get(record.entry.key) === undefined)
    .flatMap((record) => (record === undefined ? [] : [[record.entry.key, record.entry] as const]));
  const { bytes } = await entryIndex.replace(changes, generations.active.number);
  generations.active.bytes += bytes;
}

/** Deletes those of the entries of which no piece is left, and that were last saved in that generation, if any. */
async function dropEmpty(parts: StoreParts, keys: ReadonlySet<string>, savedIn?: number): Promise<void> {
  const { entryIndex, entryQueue, generations } = parts;
  const known = [...keys].filter((key) => entryQueue.get(key) === undefined);
  const records = await Promise.all(known.map((key) => entryIndex.get(key)));
  const isEmpty = async (record: EntryRecord | undefined) => {
    if (record !== undefined && savedIn !== undefined && record.generation !== savedIn) return false;
    return record === undefined || !(await hasAnyPiece(parts, record.entry));
  };
  const empties = await Promise.all(records.map(isEmpty));
  const empty = known.filter((_, i) => empties[i] === true);
  await entryIndex.replace(
    empty.map((key) => [key, null] as const),
    generations.active.number,
  );
}

async function hasAnyPiece(parts: StoreParts, entry: Entry): Promise<boolean> {
  for (const { id } of entry.variants) if (await hasPieces(parts, id)) return true;
  return false;
}

/** Pieces that wait to be written count. */
async function hasPieces({ open, pieceIndex }: StoreParts, id: RepresentationId): Promise<boolean> {
  return open.hasPieces(id) || pieceIndex.hasPieces(id);
}

/** Runs it; damaged parts of the index end it early without harm. */
async function tolerate(parts: StoreParts, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (troubleOf(error) !== 'corrupt') throw error;
    parts.settings.log.warn({ reason: reasonOf(error) }, 'a part of the index of the disk tier cannot be read');
  }
}
