import type { Source } from '../types.ts';

interface Range {
  readonly first: number;
  last: number;
  readonly source: Source;
}

/** Beyond it the oldest are forgotten, and their bytes count for the tier that gives them. */
const rangesMax = 64;
const none: readonly Range[] = [];

/** Bytes that a supplier brought and no viewer got yet: what is given first counts for the supplier, again for a tier. */
export class UnservedRanges {
  #ranges: readonly Range[] = none;

  get empty(): boolean {
    return this.#ranges.length === 0;
  }

  add(first: number, last: number, source: Source): void {
    const before = this.#ranges.find((range) => range.last + 1 === first && range.source === source);
    if (before !== undefined) before.last = last;
    else this.#ranges = [...this.#ranges, { first, last, source }].slice(-rangesMax);
  }

  sourceOf(offset: number): Source | undefined {
    return this.#ranges.find(({ first, last }) => offset >= first && offset <= last)?.source;
  }

  /** Whether a byte of first .. last is among them. */
  touches(from: number, to: number): boolean {
    return this.#ranges.some(({ first, last }) => first <= to && last >= from);
  }

  /** first .. last is given: tells each source how much of it was its own, and returns the rest. */
  give(first: number, last: number, count: (source: Source, bytes: number) => void): number {
    let rest = last - first + 1;
    const left: Range[] = [];
    for (const range of this.#ranges) {
      const [from, to] = [Math.max(first, range.first), Math.min(last, range.last)];
      if (from > to) {
        left.push(range);
        continue;
      }
      count(range.source, to - from + 1);
      rest -= to - from + 1;
      if (range.first < from) left.push({ ...range, last: from - 1 });
      if (range.last > to) left.push({ ...range, first: to + 1 });
    }
    this.#ranges = left.length === 0 ? none : left;
    return rest;
  }
}
