const keptMax = 8;

/** Hundreds of viewers get the same bytes at the same moment: each is read once. */
export class Reader<T extends { readonly bytes: Buffer }> {
  readonly #parse: (bytes: Buffer) => T;
  readonly #recent: T[] = [];

  constructor(parse: (bytes: Buffer) => T) {
    this.#parse = parse;
  }

  read(bytes: Buffer): T {
    const known = this.#recent.find((each) => each.bytes.equals(bytes));
    if (known !== undefined) return known;
    const read = this.#parse(bytes);
    this.#recent.unshift(read);
    this.#recent.length = Math.min(this.#recent.length, keptMax);
    return read;
  }
}
