/** Header fields of one message (RFC 9110 section 5): order and duplicates kept, names matched without case. Immutable. */
export class Fields {
  static readonly empty = new Fields([]);

  readonly #raw: readonly string[];
  /** Its names in lower case, in the same order: a map takes five times the memory, and longer to make. */
  #names: readonly string[] | undefined;
  /** Which of `wishes` are there; known with the names. */
  #wishes = 0;
  #reporting = false;

  constructor(raw: readonly string[]) {
    this.#raw = raw;
  }

  /** Flat list as node:http gives it: name, value, name, value. */
  get raw(): readonly string[] {
    return this.#raw;
  }

  static of(fields: Readonly<Record<string, string | number>>): Fields {
    return new Fields(Object.entries(fields).flatMap(([name, value]) => [name, String(value)]));
  }

  /** The combined value: field lines of one name joined by ", " (RFC 9110 section 5.2). */
  get(name: string): string | undefined {
    const names = this.#index();
    const wanted = name.toLowerCase();
    let value: string | undefined;
    for (let i = 0; i < names.length; i++) {
      if (names[i] !== wanted) continue;
      const line = this.raw[2 * i + 1] as string;
      value = value === undefined ? line : `${value}, ${line}`;
    }
    return value;
  }

  has(name: string): boolean {
    return this.#index().includes(name.toLowerCase());
  }

  /** Whether, as fields of a request, they want what is stored as it is: whole, without condition or directive. */
  get isPlain(): boolean {
    this.#index();
    return this.#wishes === 0;
  }

  /** Whether there is a precondition (RFC 9110 section 13.1), If-Range aside. */
  get isConditional(): boolean {
    this.#index();
    return (this.#wishes & conditional) !== 0;
  }

  /** Whether there are directives for caches (RFC 9111 sections 5.2.1 and 5.4). */
  get isDirected(): boolean {
    this.#index();
    return (this.#wishes & directed) !== 0;
  }

  /** Whether a player speaks of itself in them (CMCD, CTA-5004). */
  get isReporting(): boolean {
    this.#index();
    return this.#reporting;
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

  /** The same for a field that has one line, which stays in its place: nothing is to be found out anew about the names. */
  withLine(name: string, value: string): Fields {
    const raw = [...this.raw];
    raw[2 * this.#index().indexOf(name.toLowerCase()) + 1] = value;
    const copy = new Fields(raw);
    copy.#names = this.#names;
    copy.#wishes = this.#wishes;
    copy.#reporting = this.#reporting;
    return copy;
  }

  /** A copy without these fields. */
  without(names: Iterable<string>): Fields {
    const dropped = new Set([...names].map((name) => name.toLowerCase()));
    const kept = [...this.lines()].filter(([name]) => !dropped.has(name.toLowerCase()));
    return new Fields(kept.flat());
  }

  #index(): readonly string[] {
    if (this.#names !== undefined) return this.#names;
    const names: string[] = [];
    for (let i = 0; i + 1 < this.raw.length; i += 2) {
      const lower = lowerCase(this.raw[i] as string);
      this.#wishes |= wishes.get(lower) ?? 0;
      this.#reporting ||= lower.startsWith('cmcd-');
      names.push(lower);
    }
    this.#names = names;
    return names;
  }
}

/** Names as they came, in lower case: one string for all messages. Those beyond the bound are made anew each time. */
const lowerCased = new Map<string, string>();
const lowerCasedMax = 1024;

function lowerCase(name: string): string {
  const known = lowerCased.get(name);
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lowerCased.size < lowerCasedMax) lowerCased.set(name, lower);
  return lower;
}

const [conditional, ranged, directed] = [1, 2, 4] as const;

/** Fields by which a request wants something else than what is stored, as it is. */
const wishes: ReadonlyMap<string, number> = new Map([
  ['if-match', conditional],
  ['if-none-match', conditional],
  ['if-modified-since', conditional],
  ['if-unmodified-since', conditional],
  ['if-range', ranged],
  ['range', ranged],
  ['cache-control', directed],
  ['pragma', directed],
]);
