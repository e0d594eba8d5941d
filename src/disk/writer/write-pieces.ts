import type { Generation } from '../generation/generation.ts';
import type { PiecePlace } from '../record/index-records.ts';
import type { PendingPiece } from '../store/piece-queue.ts';
import { pendingPlace } from '../store/spans.ts';
import type { StoreParts } from '../store/store-parts.ts';

interface Placed {
  readonly piece: PendingPiece;
  readonly place: PiecePlace;
}

/** Writes the first pieces in line, as many as fit the scratch memory. What cannot be written is given up. */
export async function writePieces(parts: StoreParts, generation: Generation, scratch: Buffer): Promise<void> {
  const pieces = parts.pieceQueue.take(scratch.length);
  if (pieces.length === 0) return;
  const placed = await placeAll(parts, generation, { pieces, scratch }).catch((error: unknown) => {
    for (const piece of pieces) giveUp(parts, piece);
    throw error;
  });
  // Not within what is given up when it fails: a piece is done with once.
  for (const { piece, place } of placed) {
    if (!piece.dropped) parts.open.move(piece.id, piece.first, { from: pendingPlace, to: place });
    parts.pieceQueue.done(piece);
  }
}

/** The disk takes nothing now: what waits for it is forgotten, so that it holds no memory. */
export function giveUpQueued(parts: StoreParts): void {
  const pieces = parts.pieceQueue.take(Number.POSITIVE_INFINITY);
  parts.counts.declined += pieces.length;
  for (const piece of pieces) giveUp(parts, piece);
}

/** Writes pieces and makes them known to the index. One that was dropped while it was written stays unknown. */
async function placeAll(
  { pieceIndex, generations, counts }: StoreParts,
  generation: Generation,
  { pieces, scratch }: { pieces: readonly PendingPiece[]; scratch: Buffer },
): Promise<readonly Placed[]> {
  const sequences = await generation.append(pieces, scratch);
  for (const { bytes } of pieces) counts.writtenBytes += bytes.length;
  const placed = pieces.map((piece, i) => ({
    piece,
    place: { generation: generation.number, sequence: sequences[i] ?? 0 },
  }));
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
  const named = wanted.map(({ piece: { id, first, bytes }, place }) => ({ id, first, length: bytes.length, ...place }));
  const deleted = superseded.filter((each) => each.first !== each.by);
  await pieceIndex.add(named, deleted, changed);
  return placed;
}

function giveUp({ pieceQueue, open }: StoreParts, piece: PendingPiece): void {
  const isLatest = pieceQueue.get(piece.id, piece.first) === piece;
  pieceQueue.done(piece);
  if (isLatest) open.drop(piece.id, piece.first, pendingPlace);
}
