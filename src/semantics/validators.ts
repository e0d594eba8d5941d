import { Fields } from '../fields.ts';
import { parseHttpDate } from './dates.ts';

/** The validators of a response (RFC 9110 section 8.8), as received. */
export interface Validators {
  /** A valid entity tag, with its W/ if it is weak. */
  readonly etag: string | undefined;
  /** A valid Last-Modified. */
  readonly lastModified: string | undefined;
  /** What If-Range may carry: the strong entity tag; a strong Last-Modified where there is no ETag at all. */
  readonly strong: string | undefined;
}

/**
 * How much later than Last-Modified the Date must be for the former to be strong: RFC 9110 section 8.8.2.2 wants at
 * least a second, and enough that clocks that differ make no difference.
 */
const strongAfterMs = 60_000;

const entityTag = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

export function validatorOf(fields: Fields): Validators {
  const received = fields.get('etag');
  const etag = received !== undefined && entityTag.test(received) ? received : undefined;
  const modified = fields.get('last-modified');
  const modifiedMs = parseHttpDate(modified, 0);
  const lastModified = modifiedMs === undefined ? undefined : modified;
  if (received !== undefined) return { etag, lastModified, strong: etag?.startsWith('W/') ? undefined : etag };
  const dateMs = parseHttpDate(fields.get('date'), 0);
  const late = modifiedMs !== undefined && dateMs !== undefined && dateMs - modifiedMs >= strongAfterMs;
  return { etag, lastModified, strong: late ? lastModified : undefined };
}

/** RFC 9110 section 8.8.3.2 */
export function strongCompare(a: string, b: string): boolean {
  return a === b && !a.startsWith('W/');
}

/** RFC 9110 section 8.8.3.2 */
export function weakCompare(a: string, b: string): boolean {
  return opaque(a) === opaque(b);
}

/** The members of a list of entity tags; undefined when it is not one. A comma may stand inside a tag. */
export function parseEntityTags(list: string): readonly string[] | undefined {
  const member = /[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")?[ \t]*(?:,|$)/y;
  const tags: string[] = [];
  while (member.lastIndex < list.length) {
    const match = member.exec(list);
    if (match === null) return undefined;
    if (match[1] !== undefined) tags.push(match[1]);
  }
  return tags;
}

/** Whether two responses are of the same representation, so that bytes of both may be combined (section 15.3.7.3). */
export function sameRepresentation(a: Fields, b: Fields): boolean {
  const strong = validatorOf(a).strong;
  return strong !== undefined && strong === validatorOf(b).strong;
}

/** The preconditions that validate a stored response (RFC 9111 section 4.3.1); empty when it has no validator. */
export function conditionalFields(stored: { readonly fields: Fields }): Fields {
  const { etag, lastModified } = validatorOf(stored.fields);
  const raw: string[] = [];
  if (etag !== undefined) raw.push('If-None-Match', etag);
  if (lastModified !== undefined) raw.push('If-Modified-Since', lastModified);
  return new Fields(raw);
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
