import { Fields } from '../../fields.ts';
import { conditionNames } from '../../semantics/condition-names.ts';
import { dated } from '../../semantics/dates.ts';
import { endToEnd } from '../../semantics/hop-by-hop.ts';
import { Recent } from '../recent.ts';
import type { StoredResponse } from '../types.ts';
import { ageSecondsAt, type FreshnessTerms } from './freshness.ts';

/** RFC 9110 section 7.6.3 */
const via = ['Via', '1.1 eddy'] as const;

/**
 * Fields of an answer from storage: as stored, with Age (RFC 9111 section 4), Via, and Date where it was missing.
 * Targeted fields go on as they are (RFC 9213 section 3).
 */
export function storedFields(stored: StoredResponse, ageSeconds: number): Fields {
  const raw: string[] = [];
  let hasDate = false;
  for (const [name, value] of stored.fields.lines()) {
    const short = name.length <= 4 ? name.toLowerCase() : name;
    if (short === 'age') continue;
    if (short === 'date') hasDate = true;
    raw.push(name, value);
  }
  raw.push('Age', String(ageSeconds), ...via);
  return hasDate ? new Fields(raw) : dated(new Fields(raw), stored.responseTimeMs);
}

/** Answers whose fields are kept, some 1 KB each. */
const keptMax = 2048;

/** `storedFields`, made once for all answers of one second: whoever gets the same fields may keep what it makes of them. */
export class AgedFields {
  readonly #recent = new Recent<StoredResponse, { readonly seconds: number; readonly fields: Fields }>(keptMax);

  of(stored: StoredResponse, terms: FreshnessTerms, nowMs: number): Fields {
    const seconds = Math.floor(ageSecondsAt(terms, nowMs));
    const kept = this.#recent.get(stored);
    if (kept?.seconds === seconds) return kept.fields;
    const fields = storedFields(stored, seconds);
    this.#recent.set(stored, { seconds, fields });
    return fields;
  }
}

/** Fields of an answer that is passed on: end-to-end ones, with Via, and Date where it was missing (section 6.6.1). */
export function passedFields(fields: Fields, responseTimeMs: number): Fields {
  return new Fields([...dated(endToEnd(fields), responseTimeMs).raw, ...via]);
}

/** Fields of a request that is passed on, with Via: end-to-end ones, less what is meant for caches only (CMCD). */
export function passedRequestFields(fields: Fields): Fields {
  return new Fields([...endToEnd(fields, [...ownNames, ...cmcdNames]).raw, ...via]);
}

/** As `passedRequestFields`, less the client's conditions and ranges, for a request to which the cache adds its own. */
export function requestFieldsForOrigin(fields: Fields): Fields {
  return new Fields([...endToEnd(fields, [...ownNames, ...cmcdNames, ...conditionNames]).raw, ...via]);
}

/** Set by whoever sends the request, or meant for this node. */
const ownNames = ['host', 'expect', 'http2-settings'];
/** CTA-5004 section 3.2 */
const cmcdNames = ['cmcd-request', 'cmcd-object', 'cmcd-status', 'cmcd-session'];
