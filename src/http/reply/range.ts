import type { Span } from '../../semantics/content-range.ts';
/** One `range-spec` of a Range field in bytes (RFC 9110 section 14.1.2). */
export type RangeSpec =
  | { readonly first: number; readonly last: number | undefined }
  | { readonly suffixLength: number };

/** More specs than this, or more separate spans after coalescing, and the Range field is ignored (section 17.15). */
export const rangeSpecsMax = 64;
export const rangeSpansMax = 16;

/** Positions beyond this are as good as endless; one more than it is still exact. */
const positionMax = Number.MAX_SAFE_INTEGER;
/** A last position that no representation has: "all there is, as it comes" (RFC 8673 section 2, its Very Large Value). */
const veryLargeMin = 100e9;

/** What players send; everything else takes longer to read. */
const simpleRange = /^bytes=(\d{1,15})-(\d{0,15})$/;

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

/**
 * The spans to send of a representation of that length, in the order asked for, overlapping and adjacent ones coalesced.
 * Empty: none is satisfiable (416). Undefined: ignore the Range field and send the whole.
 */
export function satisfy(specs: readonly RangeSpec[], completeLength: number): readonly Span[] | undefined {
  // A non-zero suffix of nothing is satisfiable, but no Content-Range could describe it.
  if (completeLength === 0)
    return specs.some((spec) => 'suffixLength' in spec && spec.suffixLength > 0) ? undefined : [];
  const spans: Span[] = [];
  for (const spec of specs) {
    const span = toSpan(spec, completeLength);
    if (span !== undefined) coalesce(spans, span);
  }
  return spans.length > rangeSpansMax ? undefined : spans;
}

/** Whether a viewer asks for all that follows, while it is still being made. */
export function isEndless({ last }: Span): boolean {
  return last >= veryLargeMin;
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

function toSpan(spec: RangeSpec, completeLength: number): Span | undefined {
  const end = completeLength - 1;
  if ('suffixLength' in spec) {
    return spec.suffixLength === 0 ? undefined : { first: Math.max(0, completeLength - spec.suffixLength), last: end };
  }
  return spec.first > end ? undefined : { first: spec.first, last: Math.min(spec.last ?? end, end) };
}

/** Adds a span in place; those it touches are joined at the position of the earliest. */
function coalesce(spans: Span[], added: Span): void {
  let joined = added;
  let at = spans.length;
  for (let i = spans.length - 1; i >= 0; i--) {
    const span = spans[i] as Span;
    if (span.first > joined.last + 1 || joined.first > span.last + 1) continue;
    joined = { first: Math.min(span.first, joined.first), last: Math.max(span.last, joined.last) };
    spans.splice(i, 1);
    at = Math.min(at, i);
    // The joined span is wider: look at all the others again.
    i = spans.length;
  }
  spans.splice(at, 0, joined);
}
