import type { Fields } from '../fields.ts';
import { parseHttpDate } from './http-date.ts';

/** What the preconditions of a GET or HEAD leave to do (RFC 9110 section 13.2.2). */
export type Verdict = 'perform' | 'not-modified' | 'failed';

interface Selected {
  readonly request: Fields;
  /** Fields of the selected representation. */
  readonly response: Fields;
}

/** Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of section 13.2.2. */
export function evaluatePreconditions({ request, response }: Selected): Verdict {
  const ifMatch = request.get('if-match');
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, response.get('etag'), 'strong')) return 'failed';
  } else if (modifiedSince(request.get('if-unmodified-since'), () => response.get('last-modified')) === true) {
    return 'failed';
  }
  const ifNoneMatch = request.get('if-none-match');
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, response.get('etag'), 'weak') ? 'not-modified' : 'perform';
  // RFC 9111 section 4.3.2: without Last-Modified, a cache compares with Date.
  const modified = () => response.get('last-modified') ?? response.get('date');
  return modifiedSince(request.get('if-modified-since'), modified) === false ? 'not-modified' : 'perform';
}

/** Whether If-Range lets the Range field apply: absent, or the same strong validator (section 13.1.5). */
export function ifRangeHolds({ request, response }: Selected): boolean {
  const ifRange = request.get('if-range');
  if (ifRange === undefined) return true;
  if (/^(?:W\/)?"/.test(ifRange)) {
    const tags = parseEntityTags(ifRange);
    return tags?.length === 1 && matches(ifRange, response.get('etag'), 'strong');
  }
  const date = parseHttpDate(ifRange);
  const lastModified = response.get('last-modified');
  if (date === undefined || lastModified === undefined || lastModified !== ifRange) return false;
  return isStrongDate(date, response.get('date'));
}

/** A Last-Modified is a strong validator once the Date is at least a second later (section 8.8.2.2). */
function isStrongDate(lastModified: number, date: string | undefined): boolean {
  const sent = date === undefined ? undefined : parseHttpDate(date);
  return sent !== undefined && sent - lastModified >= 1000;
}

/** Whether the list (or `*`) has the entity tag, by strong or weak comparison (section 8.8.3.2). */
function matches(list: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  const tags = parseEntityTags(list) ?? [];
  if (comparison === 'strong') return !etag.startsWith('W/') && tags.includes(etag);
  const opaque = opaqueTag(etag);
  return tags.some((tag) => opaqueTag(tag) === opaque);
}

function opaqueTag(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** The members of `#entity-tag`; undefined when it is not one. Commas may stand inside a tag, so no splitting. */
function parseEntityTags(list: string): readonly string[] | undefined {
  const tags: string[] = [];
  const member = /[ \t,]*(?:((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")(?=[ \t]*(?:,|$))|$)/y;
  while (member.lastIndex < list.length) {
    const match = member.exec(list);
    if (match === null) return undefined;
    if (match[1] !== undefined) tags.push(match[1]);
  }
  return tags;
}

/** Whether `lastModified` is later than `since`; undefined when the condition is to be ignored (sections 13.1.3, 13.1.4). */
function modifiedSince(since: string | undefined, lastModified: () => string | undefined): boolean | undefined {
  if (since === undefined) return undefined;
  const [then, modified] = [parseHttpDate(since), parseHttpDate(lastModified() ?? '')];
  return then === undefined || modified === undefined ? undefined : modified > then;
}
