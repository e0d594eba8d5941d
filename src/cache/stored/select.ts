import type { Fields } from '../../fields.ts';
import { dateMs } from '../../semantics/dates.ts';
import type { Representation } from './representation.ts';

/**
 * The one of the stored responses of a key that is to answer a request with these fields (RFC 9111 section 4.1): of those
 * that may, the most recent by Date. One that varies goes before one without Vary, which some origins leave out of their
 * default response.
 */
export function select(variants: readonly Representation[], fields: Fields): Representation | undefined {
  const [first] = variants;
  if (variants.length < 2) return first?.matches(fields) === true ? first : undefined;
  const matching = variants.filter((each) => each.matches(fields));
  if (matching.length < 2) return matching[0];
  const varying = matching.filter(({ stored }) => stored.vary.length > 0);
  const candidates = varying.length > 0 ? varying : matching;
  return candidates.reduce((best, each) => (dateMs(each.stored) > dateMs(best.stored) ? each : best));
}
