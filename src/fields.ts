/** Header fields of one message (RFC 9110 section 5): order and duplicates kept, names matched without case. Immutable. */
export class Fields {
  static readonly empty = new Fields([]);

  /** Flat list as node:http gives it: name, value, name, value. */
  readonly raw: readonly string[];
  #byName: Map<string, string> | undefined;
  #isPlain: boolean | undefined;

  constructor(raw: readonly string[]) {
    this.raw = raw;
  }

  static of(fields: Readonly<Record<string, string | number>>): Fields {
    return new Fields(Object.entries(fields).flatMap(([name, value]) => [name, String(value)]));
  }

  /** The combined value: field lines of one name joined by ", " (RFC 9110 section 5.2). */
  get(name: string): string | undefined {
    return this.#index().get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#index().has(name.toLowerCase());
  }

  /** Whether, as fields of a request, they want what is stored as it is: whole, without condition or directive. */
  get isPlain(): boolean {
    this.#isPlain ??= !wishes.some((name) => this.has(name));
    return this.#isPlain;
  }

  /** Each field line of that name on its own, for fields that must not be combined (Set-Cookie). */
  all(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    return [...this.lines()].filter(([each]) => each.toLowerCase() === wanted).map(([, value]) => value);
  }

  *lines(): Generator<readonly [name: string, value: string]> {
    for (let i = 0; i + 1 < this.raw.length; i += 2) yield [this.raw[i] as string, this.raw[i + 1] as string];
  }

  /** A copy in which that field has this one value. */
  with(name: string, value: string | number): Fields {
    return new Fields([...this.without([name]).raw, name, String(value)]);
  }

  /** A copy without these fields. */
  without(names: Iterable<string>): Fields {
    const dropped = new Set([...names].map((name) => name.toLowerCase()));
    const kept = [...this.lines()].filter(([name]) => !dropped.has(name.toLowerCase()));
    return new Fields(kept.flat());
  }

  #index(): Map<string, string> {
    if (this.#byName !== undefined) return this.#byName;
    const index = new Map<string, string>();
    for (const [name, value] of this.lines()) {
      const lower = name.toLowerCase();
      const before = index.get(lower);
      index.set(lower, before === undefined ? value : `${before}, ${value}`);
    }
    this.#byName = index;
    return index;
  }
}

/** Preconditions (RFC 9110 section 13.1), ranges (section 14) and request directives (RFC 9111 sections 5.2.1, 5.4). */
const wishes = [
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'],
  ...['cache-control', 'pragma'],
];
