import { type PieceSpan, pieceBytes, type RepresentationId, type Tier } from '../cache/types.ts';
import { readDeadlineMs, reasonOf, troubleOf, withDeadline } from './database/level.ts';
import type { Generation } from './generation/generation.ts';
import type { Health } from './health.ts';
import type { IndexedPiece } from './indexes/piece-index.ts';
import { PageCacheTrust } from './page-cache.ts';
import { pendingPlace } from './store/spans.ts';
import type { StoreParts } from './store/store-parts.ts';
import type { Writer } from './writer/writer.ts';

/** Reads under way at once; more are misses. The thread pool works on four at a time. */
const readsMax = 4096;
/** Failed reads in a row that mean the device and not a piece. */
const readFailuresMax = 3;
const removalsMax = 262_144;

/** The pieces of a store as a tier: what is known in memory answers `find`, the generations answer `read`. */
export class StoredPieces implements Tier {
  readonly name = 'disk';
  readonly #parts: StoreParts;
  readonly #writer: Writer;
  readonly #health: Health;
  /** By place; everybody who asks for a piece that is being read gets the same bytes. */
  readonly #reads = new Map<string, Promise<Buffer | undefined>>();
  /** What `read` gave last, if it was read for that reader alone. */
  #sole: Buffer | undefined;
  readonly #pageCache = new PageCacheTrust();
  #failuresInRow = 0;

  constructor(parts: StoreParts, writer: Writer, health: Health) {
    this.#parts = parts;
    this.#writer = writer;
    this.#health = health;
  }

  find(id: RepresentationId, offset: number): PieceSpan | undefined {
    return this.#parts.open.find(id, offset);
  }

  read(id: RepresentationId, first: number): Buffer | undefined | Promise<Buffer | undefined> {
    const span = this.#parts.open.at(id, first);
    if (span === undefined) return undefined;
    if (span.generation === pendingPlace.generation) return this.#parts.pieceQueue.read(id, first);
    const generation = this.#parts.generations.get(span.generation);
    if (generation === undefined) {
      this.#parts.open.drop(id, first, span);
      return undefined;
    }
    generation.reads.count(span.sequence);
    const nowMs = performance.now();
    const piece = { id, first, ...span };
    const now = this.#readNow(generation, piece, nowMs);
    if (now !== 'later') return now;
    const place = `${span.generation}/${span.sequence}`;
    const underWay = this.#reads.get(place);
    if (underWay !== undefined) return underWay;
    if (this.#reads.size >= readsMax) return undefined;
    const read = this.#read(generation, piece).finally(() => this.#reads.delete(place));
    this.#reads.set(place, read);
    return read;
  }

  put(id: RepresentationId, first: number, bytes: Buffer): void {
    const { open, pieceQueue, counts } = this.#parts;
    const piece = { first, length: bytes.length };
    if (this.#health.state !== 'ok' || !isPiece(id, piece) || !pieceQueue.hasRoom(bytes.length)) {
      counts.declined++;
      return;
    }
    const replaced = open.add(id, piece, pendingPlace);
    if (replaced === undefined) return;
    const supersedes = replaced.filter((each) => each.generation !== pendingPlace.generation);
    for (const each of replaced) pieceQueue.drop(id, each.first);
    pieceQueue.push({ id, first, bytes, supersedes, dropped: false });
    this.#writer.wakeInLull();
  }

  isSole(bytes: Buffer): boolean {
    return bytes === this.#sole;
  }

  remove(id: RepresentationId): void {
    const { open, pieceQueue, removals } = this.#parts;
    open.close(id);
    pieceQueue.dropAll(id);
    // Beyond the bound its pieces stay until their generations leave: unused, but never wrong.
    if (removals.size < removalsMax) removals.add(id);
    this.#writer.wake();
  }

  /** What is in memory already is read at once. */
  #readNow(generation: Generation, piece: IndexedPiece, startedMs: number): Buffer | undefined | 'later' {
    try {
      const isLikelyResident =
        generation.reads.isResident(piece.sequence, startedMs) && this.#pageCache.holds(startedMs);
      const bytes = generation.readNow(piece.sequence, piece, isLikelyResident);
      if (bytes === 'later') return bytes;
      this.#onRead(generation, piece, bytes);
      this.#sole = bytes;
      const nowMs = performance.now();
      this.#pageCache.took(nowMs - startedMs, nowMs);
      return bytes;
    } catch (error) {
      this.#onReadFailure(piece, error);
      return undefined;
    }
  }

  async #read(generation: Generation, piece: IndexedPiece): Promise<Buffer | undefined> {
    try {
      const what = `reading from ${generation.directory}`;
      const bytes = await withDeadline(generation.read(piece.sequence, piece), readDeadlineMs, what);
      this.#onRead(generation, piece, bytes);
      return bytes;
    } catch (error) {
      this.#onReadFailure(piece, error);
      return undefined;
    }
  }

  #onRead(generation: Generation, piece: IndexedPiece, bytes: Buffer | undefined): void {
    this.#failuresInRow = 0;
    if (bytes === undefined) this.#dropCorrupt(piece);
    else generation.reads.done(piece.sequence, performance.now());
  }

  #dropCorrupt(piece: IndexedPiece): void {
    const { open, counts, settings, generations } = this.#parts;
    open.drop(piece.id, piece.first, piece);
    // The generation left while the piece was read: gone, not corrupt.
    if (generations.get(piece.generation) === undefined) return;
    counts.corrupt++;
    const { id, first, generation } = piece;
    settings.log.warn({ id, first, generation }, 'a piece on disk did not pass verification; it is dropped');
  }

  #onReadFailure(piece: IndexedPiece, error: unknown): void {
    const { open, counts, generations, settings } = this.#parts;
    open.drop(piece.id, piece.first, piece);
    const trouble = troubleOf(error);
    if (generations.get(piece.generation) === undefined || trouble === 'closed') return;
    counts.readFailures++;
    settings.log.warn({ reason: reasonOf(error), generation: piece.generation }, 'a piece on disk cannot be read');
    if (trouble === 'corrupt') return;
    this.#failuresInRow++;
    if (this.#failuresInRow >= readFailuresMax) this.#health.fail(error, 'read');
  }
}

function isPiece(id: RepresentationId, { first, length }: PieceSpan): boolean {
  if (!Number.isSafeInteger(id) || id < 0 || !Number.isSafeInteger(first) || first < 0) return false;
  return length > 0 && (first % pieceBytes) + length <= pieceBytes;
}
