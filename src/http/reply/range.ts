import type { Span } from '../../semantics/content-range.ts';
import { type RangeSpec, spanOf } from '../../semantics/range.ts';

/** More separate spans than this after coalescing, and the Range field is ignored (RFC 9110 section 17.15). */
export const rangeSpansMax = 16;

/** A last position that no representation has: "all there is, as it comes" (RFC 8673 section 2, its Very Large Value). */
const veryLargeMin = 100e9;

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
    const span = spanOf(spec, completeLength);
    if (span !== undefined) coalesce(spans, span);
  }
  return spans.length > rangeSpansMax ? undefined : spans;
}

/** Whether a viewer asks for all that follows, while it is still being made. */
export function isEndless({ last }: Span): boolean {
  return last >= veryLargeMin;
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
