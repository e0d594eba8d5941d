import { Fields } from '../../fields.ts';
import { conditionNames } from '../../semantics/condition-names.ts';
import { dated } from '../../semantics/dates.ts';
import { FieldsAtAge } from '../../semantics/fields-at-age.ts';
import { endToEnd } from '../../semantics/hop-by-hop.ts';
import { Recent } from '../recent.ts';
import type { StoredResponse } from '../types.ts';
import { ageSecondsAt, type FreshnessTerms } from './freshness.ts';

/** RFC 9110 section 7.6.3 */
const via = ['Via', '1.1 eddy'] as const;

/**
 * Fields of an answer from storage: as stored, with Via, Date where it was missing, and Age (RFC 9111 section 4).
 * Targeted fields go on as they are (RFC 9213 section 3).
 */
export function storedFields(stored: StoredResponse, ageSeconds: number): Fields {
  return new FieldsAtAge(lastingFields(stored), ageSeconds);
}

function lastingFields({ fields, responseTimeMs }: StoredResponse): Fields {
  const raw: string[] = [];
  let hasDate = false;
  for (let i = 0; i + 1 < fields.raw.length; i += 2) {
    const name = fields.raw[i] as string;
    const short = name.length <= 4 ? name.toLowerCase() : name;
    if (short === 'age') continue;
    if (short === 'date') hasDate = true;
    raw.push(name, fields.raw[i + 1] as string);
  }
  raw.push(...via);
  return hasDate ? new Fields(raw) : dated(new Fields(raw), responseTimeMs);
}

/** Answers whose fields are kept, some 1 KB each. */
const keptMax = 2048;

/**
 * `storedFields`, the same for all answers of one second and with the same lasting ones for all of a stored response:
 * whoever gets them may keep what it makes of them.
 */
export class AgedFields {
  readonly #recent = new Recent<StoredResponse, FieldsAtAge>(keptMax);

  of(stored: StoredResponse, terms: FreshnessTerms, nowMs: number): Fields {
    const seconds = Math.floor(ageSecondsAt(terms, nowMs));
    const kept = this.#recent.get(stored);
    if (kept?.ageSeconds === seconds) return kept;
    const fields = new FieldsAtAge(kept?.lasting ?? lastingFields(stored), seconds);
    this.#recent.set(stored, fields);
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
