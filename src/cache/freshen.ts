import { Fields } from '../fields.ts';
import { parseHttpDate, formatHttpDate } from './dates.ts';
import { fieldsStored } from './storable.ts';
import type { StoredResponse } from './types.ts';
import { validatorOf, weakCompare } from './validators.ts';
import { varyOf } from './vary.ts';

/** A response that updates stored ones; every Supply is one. */
export interface Update {
  readonly fields: Fields;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/**
 * The stored response updated by a 304 or the answer to HEAD (RFC 9111 sections 3.2, 4.3.4): its fields replace those
 * of the same name, except Content-Length and Content-Range, which belong to the stored content. It is as young as the
 * update. `request`: the fields of the request, for the case that the update changes Vary.
 */
export function freshen(stored: StoredResponse, update: Update, request?: Fields): StoredResponse {
  const news = withDate(fieldsStored(update.fields), update.responseTimeMs);
  const names = new Set([...news.lines()].map(([name]) => name));
  // The stored Age and Date tell of an older message than the one that has just been received.
  const kept = stored.fields.without([...names, 'age', 'date']);
  const fields = new Fields([...kept.raw, ...news.raw]);
  return {
    ...stored,
    fields,
    requestTimeMs: update.requestTimeMs,
    responseTimeMs: update.responseTimeMs,
    vary: varyAfter(stored, fields, request),
    invalidated: false,
  };
}

/**
 * Which stored responses a 304 updates (section 4.3.4), of those that could have answered the request. `asked` is the
 * one whose validators the request carried, if it was one: a 304 without validators can only mean that one.
 * When none is named the stored responses must not be updated, and the request is to be made without conditions.
 */
export function freshenSelects(
  variants: readonly StoredResponse[],
  fields: Fields,
  asked?: StoredResponse,
): readonly StoredResponse[] {
  const { etag, lastModified, strong } = validatorOf(fields);
  if (strong !== undefined) return variants.filter((each) => validatorOf(each.fields).strong === strong);
  if (etag !== undefined || lastModified !== undefined) {
    const matching = variants.filter((each) => weaklyMatches(each, { etag, lastModified }));
    return mostRecent(matching);
  }
  if (asked !== undefined) return [asked];
  const [only] = variants;
  const lacking = variants.length === 1 && only !== undefined && conditionless(only);
  return lacking ? [only] : [];
}

/**
 * What becomes of a stored response when a 200 to HEAD came for the same request (section 4.3.5): updated where its
 * validators and its length match, else to be validated before its next use.
 */
export function headFreshens(stored: StoredResponse, update: Update): StoredResponse {
  const same = ['etag', 'last-modified'].every((name) => {
    const value = update.fields.get(name);
    return value === undefined || value === stored.fields.get(name);
  });
  const length = update.fields.get('content-length');
  const fits = length === undefined || stored.completeLength === undefined || length === String(stored.completeLength);
  return same && fits ? freshen(stored, update) : { ...stored, invalidated: true };
}

function withDate(fields: Fields, responseTimeMs: number): Fields {
  if (parseHttpDate(fields.get('date'), responseTimeMs) !== undefined) return fields;
  return fields.with('Date', formatHttpDate(responseTimeMs));
}

function varyAfter(stored: StoredResponse, fields: Fields, request: Fields | undefined): StoredResponse['vary'] {
  const changed = fields.get('vary') !== stored.fields.get('vary');
  const vary = changed && request !== undefined ? varyOf(fields, request) : stored.vary;
  return vary === 'any' ? stored.vary : vary;
}

function weaklyMatches(
  stored: StoredResponse,
  { etag, lastModified }: { etag: string | undefined; lastModified: string | undefined },
): boolean {
  const own = validatorOf(stored.fields);
  if (etag !== undefined && own.etag !== undefined) return weakCompare(etag, own.etag);
  return lastModified !== undefined && lastModified === own.lastModified;
}

function mostRecent(variants: readonly StoredResponse[]): readonly StoredResponse[] {
  const [first] = variants.toSorted((a, b) => dateMs(b) - dateMs(a));
  return first === undefined ? [] : [first];
}

function dateMs({ fields, responseTimeMs }: StoredResponse): number {
  return parseHttpDate(fields.get('date'), responseTimeMs) ?? responseTimeMs;
}

function conditionless(stored: StoredResponse): boolean {
  const { etag, lastModified } = validatorOf(stored.fields);
  return etag === undefined && lastModified === undefined;
}
