import type { Fields } from '../fields.ts';
import type { Span } from './content-range.ts';

/** One `range-spec` of a Range field in bytes (RFC 9110 section 14.1.2). */
export type RangeSpec =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffixLength: number };

/** More specs than this, and the Range field is ignored (section 17.15). */
export const rangeSpecsMax = 64;

/** Positions beyond this are as good as endless; one more than it is still exact. */
const positionMax = Number.MAX_SAFE_INTEGER;

/** What players send; everything else takes longer to read. */
const simpleRange = /^bytes=(\d{1,15})-(\d{0,15})$/;

/** The specs that a request names, at least one; undefined: none that count, so it wants the whole (section 14.2). */
export function rangesOf(method: string, fields: Fields): readonly RangeSpec[] | undefined {
  const range = rangeField(method, fields);
  return range === undefined ? undefined : parseRange(range);
}

/** The same; what the last field said is kept, since many viewers of one thing ask for the same part of it. */
export class RangeReader {
  #range = '';
  #specs: readonly RangeSpec[] | undefined;

  of(method: string, fields: Fields): readonly RangeSpec[] | undefined {
    const range = rangeField(method, fields);
    if (range === undefined) return undefined;
    if (range !== this.#range) {
      this.#specs = parseRange(range);
      this.#range = range;
    }
    return this.#specs;
  }
}

/**
 * What a request with these specs wants first of a representation of that length, for who looks ahead; undefined when
 * that is not satisfiable.
 */
export function firstSpan(specs: readonly RangeSpec[] | undefined, completeLength: number): Span | undefined {
  const spec = specs?.[0];
  return spec === undefined ? { first: 0, last: completeLength - 1 } : spanOf(spec, completeLength);
}

/** The bytes of a representation of that length; undefined: it has none of them. */
export function spanOf(spec: RangeSpec, completeLength: number): Span | undefined {
  const end = completeLength - 1;
  if ('suffixLength' in spec) {
    return spec.suffixLength === 0 ? undefined : { first: Math.max(0, completeLength - spec.suffixLength), last: end };
  }
  return spec.first > end ? undefined : { first: spec.first, last: Math.min(spec.last ?? end, end) };
}

/**
 * The specs of a Range field in bytes, or undefined when the field is to be ignored: another unit, invalid syntax,
 * or too many specs (RFC 9110 section 14.2).
 */
export function parseRange(value: string): readonly RangeSpec[] | undefined {
  const simple = simpleRange.exec(value);
  if (simple !== null) {
    const [first, last] = [Number(simple[1]), simple[2] === '' ? undefined : Number(simple[2])];
    return last !== undefined && last < first ? undefined : [{ first, last }];
  }
  const set = /^bytes=(.*)$/i.exec(value)?.[1];
  if (set === undefined) return undefined;
  const specs: RangeSpec[] = [];
  for (const element of set.split(',')) {
    const text = element.trim();
    // Empty list elements are to be accepted and ignored (section 5.6.1.2).
    if (text === '') continue;
    const spec = parseSpec(text);
    if (spec === undefined || specs.length === rangeSpecsMax) return undefined;
    specs.push(spec);
  }
  return specs.length === 0 ? undefined : specs;
}

/** Only of GET it has a meaning. */
function rangeField(method: string, fields: Fields): string | undefined {
  return method === 'GET' ? fields.get('range') : undefined;
}

function parseSpec(text: string): RangeSpec | undefined {
  const match = /^(\d*)-(\d*)$/.exec(text);
  if (match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '') return last === '' ? undefined : { suffixLength: position(last) };
  if (last === '') return { first: position(first), last: undefined };
  // Compared as digits, since both may lie beyond what a number holds.
  if (isGreater(first, last)) return undefined;
  return { first: position(first), last: position(last) };
}

function position(digits: string): number {
  return Math.min(Number(digits), positionMax);
}

function isGreater(a: string, b: string): boolean {
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  return left.length > right.length || (left.length === right.length && left > right);
}
