import type { PieceSpan, RepresentationId } from '../../cache/types.ts';
import type { IndexDatabase } from '../database/index-database.ts';
import type { LevelOperation } from '../database/level.ts';
import type { Generation } from '../generation/generation.ts';
import {
  decodePlace,
  decodeReverse,
  encodeGenerationState,
  encodePlace,
  encodeReverse,
  firstOfPieceKey,
  generationKey,
  type PiecePlace,
  pieceKey,
  pieceRange,
  reverseKey,
  reverseRange,
  sequenceOfReverseKey,
} from '../record/index-records.ts';
import type { PieceName } from '../record/piece-record.ts';

/** A piece as the index names it. */
export type IndexedPiece = PieceName & PiecePlace;

/** Which pieces are stored where. */
export class PieceIndex {
  readonly #index: IndexDatabase;

  constructor(index: IndexDatabase) {
    this.#index = index;
  }

  /** Records new pieces, forgets those they supersede, and updates the generations' states. */
  async add(
    pieces: readonly IndexedPiece[],
    superseded: readonly { id: RepresentationId; first: number }[],
    changed: Iterable<Generation>,
  ): Promise<void> {
    const operations: LevelOperation[] = superseded.map(({ id, first }) => ({ type: 'del', key: pieceKey(id, first) }));
    for (const piece of pieces) {
      operations.push({ type: 'put', key: pieceKey(piece.id, piece.first), value: encodePlace(piece, piece.length) });
      operations.push({
        type: 'put',
        key: reverseKey(piece.generation, piece.sequence),
        value: encodeReverse(piece),
      });
    }
    for (const generation of changed) operations.push(stateOf(generation));
    await this.#index.write(operations);
  }

  /** The stored pieces of a representation in order, a few at a time. */
  async *piecesOf(id: RepresentationId): AsyncGenerator<(PieceSpan & PiecePlace)[]> {
    for await (const records of this.#index.scan(pieceRange(id), 1000)) {
      const pieces: (PieceSpan & PiecePlace)[] = [];
      for (const [key, value] of records) {
        const first = firstOfPieceKey(key);
        const place = decodePlace(value);
        if (first !== undefined && place !== undefined) pieces.push({ first, ...place });
      }
      yield pieces;
    }
  }

  /** The pieces that lie in a generation and are still wanted there, in the order of writing, a few at a time. */
  async *piecesIn(generation: number): AsyncGenerator<IndexedPiece[]> {
    for await (const records of this.#index.scan(reverseRange(generation))) {
      const pieces: IndexedPiece[] = [];
      for (const [key, value] of records) {
        const sequence = sequenceOfReverseKey(key);
        const name = decodeReverse(value);
        if (sequence !== undefined && name !== undefined) pieces.push({ ...name, generation, sequence });
      }
      const places = await this.#index.getMany(pieces.map(({ id, first }) => pieceKey(id, first)));
      yield pieces.filter((piece, i) => isAt(places[i], piece));
    }
  }

  async hasPieces(id: RepresentationId): Promise<boolean> {
    return this.#index.hasAny(pieceRange(id));
  }

  async forget(pieces: readonly { id: RepresentationId; first: number }[]): Promise<void> {
    await this.#index.write(pieces.map(({ id, first }) => ({ type: 'del', key: pieceKey(id, first) })));
  }

  /** Forgets a representation; `onForgotten` hears the generation of each piece that nobody needs now. */
  async forgetAll(id: RepresentationId, onForgotten: (generation: number) => void): Promise<void> {
    for await (const pieces of this.piecesOf(id)) {
      await this.forget(pieces.map(({ first }) => ({ id, first })));
      for (const { generation } of pieces) onForgotten(generation);
    }
  }

  async saveStates(generations: readonly Generation[]): Promise<void> {
    await this.#index.write(generations.map(stateOf));
  }

  /** Forgets what was recorded about a generation as such. */
  async forgetGeneration(generation: number): Promise<void> {
    await this.#index.clear(reverseRange(generation));
    await this.#index.write([{ type: 'del', key: generationKey(generation) }]);
  }
}

function stateOf(generation: Generation): LevelOperation {
  return { type: 'put', key: generationKey(generation.number), value: encodeGenerationState(generation) };
}

function isAt(value: Buffer | undefined, piece: IndexedPiece): boolean {
  const place = value === undefined ? undefined : decodePlace(value);
  return place?.generation === piece.generation && place.sequence === piece.sequence && place.length === piece.length;
}
