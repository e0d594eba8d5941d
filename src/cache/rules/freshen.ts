import { Fields } from '../../fields.ts';
import { dated, dateMs } from '../../semantics/dates.ts';
import { endToEnd } from '../../semantics/hop-by-hop.ts';
import { strongCompare, type Validators, validatorOf, weakCompare } from '../../semantics/validators.ts';
import type { MapPolicy, StoredResponse } from '../types.ts';
import { fieldsStored } from './storable.ts';
import { varyOf } from './vary.ts';

/** A response that updates stored ones; every Supply is one. */
interface Update {
  readonly fields: Fields;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/** The request that brought the update. */
interface UpdatingRequest {
  readonly fields: Fields;
  readonly policy: Pick<MapPolicy, 'targetedFields'>;
}

/**
 * The stored response updated by a 304 or the answer to HEAD (RFC 9111 sections 3.2, 4.3.4): its fields replace those
 * of the same name, except Content-Length and Content-Range, which belong to the stored content. It is as young as the
 * update.
 */
export function freshen(stored: StoredResponse, update: Update, request: UpdatingRequest): StoredResponse {
  const { targetedFields } = request.policy;
  const news = dated(endToEnd(update.fields, ['content-length', 'content-range']), update.responseTimeMs);
  const names = [...news.lines()].map(([name]) => name);
  // The stored Age tells of an older message than the one that has just been received.
  const kept = stored.fields.without([...names, 'age']);
  // What both say together may withhold a field that is stored.
  const fields = fieldsStored(new Fields([...kept.raw, ...news.raw]), { status: stored.status, targetedFields });
  return {
    ...stored,
    fields,
    requestTimeMs: update.requestTimeMs,
    responseTimeMs: update.responseTimeMs,
    vary: varyAfter(stored, fields, request.fields),
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
  asked: StoredResponse,
): readonly StoredResponse[] {
  const news = validatorOf(fields);
  if (news.strong !== undefined) return variants.filter((each) => hasSame(each, news, strongCompare));
  if (news.etag !== undefined || news.lastModified !== undefined)
    return mostRecent(variants.filter((each) => hasSame(each, news, weakCompare)));
  return [asked];
}

/**
 * What becomes of a stored response when a 200 to HEAD came for the same request (section 4.3.5): updated where its
 * validators and its length match, else to be validated before its next use.
 */
export function headFreshens(stored: StoredResponse, update: Update, request: UpdatingRequest): StoredResponse {
  const same = ['etag', 'last-modified'].every((name) => {
    const value = update.fields.get(name);
    return value === undefined || value === stored.fields.get(name);
  });
  const length = update.fields.get('content-length');
  const fits = length === undefined || stored.completeLength === undefined || length === String(stored.completeLength);
  return same && fits ? freshen(stored, update, request) : { ...stored, invalidated: true };
}

function varyAfter(stored: StoredResponse, fields: Fields, request: Fields): StoredResponse['vary'] {
  const changed = fields.get('vary') !== stored.fields.get('vary');
  const vary = changed ? varyOf(fields, request) : stored.vary;
  return vary === 'any' ? stored.vary : vary;
}

/** Whether the stored response has the same entity tag; the same Last-Modified where one of the two has no tag. */
function hasSame(stored: StoredResponse, news: Validators, compare: (a: string, b: string) => boolean): boolean {
  const own = validatorOf(stored.fields);
  if (news.etag !== undefined && own.etag !== undefined) return compare(news.etag, own.etag);
  return news.lastModified !== undefined && news.lastModified === own.lastModified;
}

function mostRecent(variants: readonly StoredResponse[]): readonly StoredResponse[] {
  const [first] = variants.toSorted((a, b) => dateMs(b) - dateMs(a));
  return first === undefined ? [] : [first];
}
