const known = new WeakMap<ArrayBufferLike, PieceMemory>();

/**
 * Memory of one piece, given back as soon as the last of those who hold it lets go: left to the collector, what passes
 * through would take a mark of the whole heap for each 100 MB (docs/decisions/memory.md).
 *
 * Whoever gives bytes of it away holds it in the name of the one who gets them. Nobody has to let go: memory that is held
 * for good is the collector's. Only those may who know that nothing looks at their bytes any more, neither a view of
 * theirs nor a write that is under way. Who has a view all the same finds it empty, and never with other bytes.
 */
export class PieceMemory {
  readonly #buffer: ArrayBuffer;
  #holders = 1;

  private constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
  }

  /** All of a new one, not cleared, held by who asks for it. */
  static allocate(length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    known.set(bytes.buffer, new PieceMemory(bytes.buffer));
    return bytes;
  }

  /** The same, with a copy of these bytes. */
  static copyOf(bytes: Buffer): Buffer {
    const copy = PieceMemory.allocate(bytes.length);
    bytes.copy(copy);
    return copy;
  }

  /** What these bytes are a part of; undefined: it is the collector's, whoever holds it. */
  static of({ buffer }: Buffer): PieceMemory | undefined {
    return known.get(buffer);
  }

  hold(): void {
    this.#holders += 1;
  }

  /** Once for each time that it was held. */
  letGo(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#buffer.transfer(0);
  }
}
