import { parseRange } from '../semantics/range.ts';

/** Where a body starts in its representation, as far as the request's Range says so; 0 otherwise. */
export function firstAsked(range: string | undefined): number {
  const [spec, ...others] = (range === undefined ? undefined : parseRange(range)) ?? [];
  return spec !== undefined && others.length === 0 && 'first' in spec ? spec.first : 0;
}
