import type { Fields } from '../../fields.ts';
import type { Span } from '../../semantics/content-range.ts';

/** The first range a request names, for choosing what to fetch: the HTTP side answers ranges, this only looks ahead. */
export type RequestedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'closed'; readonly first: number; readonly last: number; readonly more: boolean }
  | { readonly kind: 'open'; readonly first: number; readonly more: boolean }
  | { readonly kind: 'suffix'; readonly length: number; readonly more: boolean };

const spec = /^\s*bytes\s*=[\s,]*(?:(\d{1,15})-(\d{1,15})?|-(\d{1,15}))\s*(,.*)?$/i;

const whole: RequestedRange = { kind: 'whole' };

/** Reads Range fields; what the last one said is kept, since many viewers of one thing ask for the same part of it. */
export class RangeFieldReader {
  #range = '';
  #wanted = whole;

  of(method: string, fields: Fields): RequestedRange {
    const range = method === 'GET' ? fields.get('range') : undefined;
    if (range === undefined) return whole;
    if (range !== this.#range) {
      this.#wanted = parseRange(range);
      this.#range = range;
    }
    return this.#wanted;
  }
}

export function requestedRangeOf(method: string, fields: Fields): RequestedRange {
  return method === 'GET' ? parseRange(fields.get('range') ?? '') : whole;
}

function parseRange(range: string): RequestedRange {
  const match = spec.exec(range);
  if (match === null) return whole;
  const more = /\d/.test(match[4] ?? '');
  if (match[3] !== undefined) return { kind: 'suffix', length: Number(match[3]), more };
  const first = Number(match[1]);
  if (match[2] === undefined) return { kind: 'open', first, more };
  const last = Number(match[2]);
  return last < first ? whole : { kind: 'closed', first, last, more };
}

/** What is wanted of a representation of this length, inclusive; undefined when the range is not satisfiable. */
export function within(wanted: RequestedRange, completeLength: number): Span | undefined {
  const end = completeLength - 1;
  switch (wanted.kind) {
    case 'whole':
      return { first: 0, last: end };
    case 'closed':
      return wanted.first > end ? undefined : { first: wanted.first, last: Math.min(wanted.last, end) };
    case 'open':
      return wanted.first > end ? undefined : { first: wanted.first, last: end };
    case 'suffix':
      return wanted.length === 0 ? undefined : { first: Math.max(0, completeLength - wanted.length), last: end };
    default:
      return wanted satisfies never;
  }
}
