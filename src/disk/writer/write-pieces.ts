import type { Generation } from '../generation/generation.ts';
import type { PendingPiece } from '../store/piece-queue.ts';
import { pendingPlace } from '../store/spans.ts';
import type { StoreParts } from '../store/store-parts.ts';

/** Writes the first pieces in line, as many as fit the scratch memory. What cannot be written is given up. */
export async function writePieces(parts: StoreParts, generation: Generation, scratch: Buffer): Promise<void> {
  const pieces = parts.pieceQueue.take(scratch.length);
  if (pieces.length === 0) return;
  try {
    const sequences = await generation.append(pieces, scratch);
    for (const { bytes } of pieces) parts.counts.writtenBytes += bytes.length;
    await index(parts, generation, { pieces, sequences });
  } catch (error) {
    for (const piece of pieces) giveUp(parts, piece);
    throw error;
  }
}

/** The disk takes nothing now: what waits for it is forgotten, so that it holds no memory. */
export function giveUpQueued(parts: StoreParts): void {
  const pieces = parts.pieceQueue.take(Number.POSITIVE_INFINITY);
  parts.counts.declined += pieces.length;
  for (const piece of pieces) giveUp(parts, piece);
}

/** Makes written pieces known. One that was dropped while it was written stays unknown. */
async function index(
  { pieceIndex, pieceQueue, open, generations }: StoreParts,
  generation: Generation,
  { pieces, sequences }: { pieces: readonly PendingPiece[]; sequences: readonly number[] },
): Promise<void> {
  const placed = pieces.map((piece, i) => {
    const place = { generation: generation.number, sequence: sequences[i] ?? 0 };
    return { piece, place, named: { id: piece.id, first: piece.first, length: piece.bytes.length, ...place } };
  });
  const wanted = placed.filter(({ piece }) => !piece.dropped);
  const superseded = wanted.flatMap(({ piece }) =>
    piece.supersedes.map((other) => ({ ...other, id: piece.id, by: piece.first })),
  );
  generation.pieces += wanted.length;
  const changed = new Set([generation]);
  for (const each of superseded) {
    const other = generations.get(each.generation);
    if (other === undefined) continue;
    other.pieces--;
    changed.add(other);
  }
  const named = wanted.map((each) => each.named);
  const deleted = superseded.filter((each) => each.first !== each.by);
  await pieceIndex.add(named, deleted, changed);
  for (const { piece, place } of placed) {
    if (!piece.dropped) open.move(piece.id, piece.first, { from: pendingPlace, to: place });
    pieceQueue.done(piece);
  }
}

function giveUp({ pieceQueue, open }: StoreParts, piece: PendingPiece): void {
  const isLatest = pieceQueue.get(piece.id, piece.first) === piece;
  pieceQueue.done(piece);
  if (isLatest) open.drop(piece.id, piece.first, pendingPlace);
}
