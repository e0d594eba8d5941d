import type { Fields } from '../fields.ts';
import { parseHttpDate } from './dates.ts';
import { parseEntityTags, strongCompare, weakCompare } from './validators.ts';

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
  const date = parseHttpDate(ifRange, Date.now());
  const lastModified = response.get('last-modified');
  if (date === undefined || lastModified === undefined || lastModified !== ifRange) return false;
  return isStrongDate(date, response.get('date'));
}

/** A Last-Modified is a strong validator once the Date is at least a second later (section 8.8.2.2). */
function isStrongDate(lastModified: number, date: string | undefined): boolean {
  const sent = date === undefined ? undefined : parseHttpDate(date, Date.now());
  return sent !== undefined && sent - lastModified >= 1000;
}

/** Whether the list (or `*`) has the entity tag, by strong or weak comparison (section 8.8.3.2). */
function matches(list: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  const same = comparison === 'strong' ? strongCompare : weakCompare;
  return (parseEntityTags(list) ?? []).some((tag) => same(tag, etag));
}

/** Whether `lastModified` is later than `since`; undefined when the condition is to be ignored (sections 13.1.3, 13.1.4). */
function modifiedSince(since: string | undefined, lastModified: () => string | undefined): boolean | undefined {
  if (since === undefined) return undefined;
  const now = Date.now();
  const [then, modified] = [parseHttpDate(since, now), parseHttpDate(lastModified(), now)];
  return then === undefined || modified === undefined ? undefined : modified > then;
}
