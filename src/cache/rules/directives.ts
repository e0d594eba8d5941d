import type { Fields } from '../../fields.ts';
import { deltaSecondsMax } from '../../semantics/age.ts';
import { tokensOf } from '../../semantics/token-list.ts';
import { type Member as DictionaryMember, dictionaryOf } from '../../structured-fields.ts';
import { splitList } from './list.ts';

/** Cache directives of a request or a response (RFC 9111 section 5.2, RFC 5861, RFC 8246). */
export interface Directives {
  readonly maxAgeSeconds?: number;
  readonly sMaxageSeconds?: number;
  /** Infinity when it came without a value: any staleness is accepted. */
  readonly maxStaleSeconds?: number;
  readonly minFreshSeconds?: number;
  readonly staleWhileRevalidateSeconds?: number;
  readonly staleIfErrorSeconds?: number;
  readonly noStore: boolean;
  /** True for the whole response; else the fields it is limited to, lower case. */
  readonly noCache: boolean | readonly string[];
  /** True for the whole response; else the fields it is limited to, lower case. */
  readonly private: boolean | readonly string[];
  readonly public: boolean;
  readonly mustRevalidate: boolean;
  readonly proxyRevalidate: boolean;
  readonly mustUnderstand: boolean;
  readonly immutable: boolean;
  readonly noTransform: boolean;
  readonly onlyIfCached: boolean;
}

/**
 * Directives of a Cache-Control value. Unknown ones are ignored. Of a directive that comes twice the first counts, of
 * conflicting ones the most restrictive. A lifetime that is not a number counts as 0, that is as stale (section 4.2.1).
 */
export function parseCacheControl(value: string | undefined): Directives {
  if (value === undefined || value === '') return none;
  const draft: Draft = { ...none };
  for (const text of splitList(value)) add(draft, memberOf(text));
  return draft;
}

/**
 * Directives of a targeted field (RFC 9213 section 2.1), a Dictionary. Undefined when it is absent, empty or does not
 * parse, so that the next field counts. A lifetime of the wrong type counts as 0.
 */
export function parseTargeted(value: string | undefined): Directives | undefined {
  if (value === undefined) return undefined;
  const dictionary = dictionaryOf(value);
  if (dictionary === undefined || dictionary.size === 0) return undefined;
  const draft: Draft = { ...none };
  for (const [name, { value }] of dictionary) if (value !== false) add(draft, { name, argument: argumentOf(value) });
  return draft;
}

/** The directives that govern a response: the first valid targeted field's; else Cache-Control's (RFC 9213 section 2.2). */
export function effectiveDirectives(
  fields: Fields,
  targetedFields: readonly string[],
): { readonly directives: Directives; readonly targeted: boolean } {
  for (const name of targetedFields) {
    const directives = parseTargeted(fields.get(name));
    if (directives !== undefined) return { directives, targeted: true };
  }
  return { directives: parseCacheControl(fields.get('cache-control')), targeted: false };
}

/** The directives of a request; without Cache-Control, `Pragma: no-cache` says the same as `no-cache` (section 5.4). */
export function requestDirectives(fields: Fields): Directives {
  const cacheControl = fields.get('cache-control');
  if (cacheControl !== undefined) return parseCacheControl(cacheControl);
  const pragma = fields.get('pragma');
  return pragma === undefined ? none : { ...none, noCache: parseCacheControl(pragma).noCache === true };
}

type Draft = { -readonly [K in keyof Directives]: Directives[K] };
type SecondsName = Extract<keyof Directives, `${string}Seconds`>;
type FlagName = 'public' | 'mustUnderstand' | 'immutable';
type RestrictionName = 'noStore' | 'mustRevalidate' | 'proxyRevalidate' | 'noTransform' | 'onlyIfCached';

interface Member {
  /** Lower case. */
  readonly name: string;
  /** Undefined when there is none; 'invalid' when it is of a form no directive takes. */
  readonly argument: { readonly text: string } | 'invalid' | undefined;
}

const none: Directives = {
  noStore: false,
  noCache: false,
  private: false,
  public: false,
  mustRevalidate: false,
  proxyRevalidate: false,
  mustUnderstand: false,
  immutable: false,
  noTransform: false,
  onlyIfCached: false,
};

const seconds: ReadonlyMap<string, SecondsName> = new Map([
  ['max-age', 'maxAgeSeconds'],
  ['s-maxage', 'sMaxageSeconds'],
  ['max-stale', 'maxStaleSeconds'],
  ['min-fresh', 'minFreshSeconds'],
  ['stale-while-revalidate', 'staleWhileRevalidateSeconds'],
  ['stale-if-error', 'staleIfErrorSeconds'],
]);
/** These only take effect in their exact form, without argument. */
const permissions: ReadonlyMap<string, FlagName> = new Map([
  ['public', 'public'],
  ['must-understand', 'mustUnderstand'],
  ['immutable', 'immutable'],
]);
/** These take effect whatever argument they come with. */
const restrictions: ReadonlyMap<string, RestrictionName> = new Map([
  ['no-store', 'noStore'],
  ['must-revalidate', 'mustRevalidate'],
  ['proxy-revalidate', 'proxyRevalidate'],
  ['no-transform', 'noTransform'],
  ['only-if-cached', 'onlyIfCached'],
]);

function add(draft: Draft, { name, argument }: Member): void {
  const secondsName = seconds.get(name);
  if (secondsName !== undefined) {
    draft[secondsName] ??= name === 'max-stale' && argument === undefined ? Number.POSITIVE_INFINITY : delta(argument);
    return;
  }
  const permission = permissions.get(name);
  if (permission !== undefined) draft[permission] ||= argument === undefined;
  const restriction = restrictions.get(name);
  if (restriction !== undefined) draft[restriction] = true;
  if (name === 'no-cache') draft.noCache = stricter(draft.noCache, fieldNames(argument));
  if (name === 'private') draft.private = stricter(draft.private, fieldNames(argument));
}

function delta(argument: Member['argument']): number {
  if (argument === undefined || argument === 'invalid' || !/^\d+$/.test(argument.text)) return 0;
  return Math.min(Number(argument.text), deltaSecondsMax);
}

/** The fields that a qualified directive names; true when it names none, or no field could be called that. */
function fieldNames(argument: Member['argument']): true | readonly string[] {
  if (argument === undefined || argument === 'invalid') return true;
  const names = tokensOf(argument.text);
  return names.length > 0 && names.every((name) => token.test(name)) ? names : true;
}

function stricter(before: boolean | readonly string[], added: true | readonly string[]): boolean | readonly string[] {
  if (before === true || added === true) return true;
  return before === false ? added : [...before, ...added];
}

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;

function memberOf(text: string): Member {
  const equals = text.indexOf('=');
  if (equals < 0) return { name: text.trim().toLowerCase(), argument: undefined };
  const before = text.slice(0, equals).trimStart();
  const after = text.slice(equals + 1).trimEnd();
  const name = before.trimEnd().toLowerCase();
  if (before !== before.trimEnd() || after !== after.trimStart()) return { name, argument: 'invalid' };
  const quoted = /^"(.*)"$/s.exec(after);
  return { name, argument: { text: quoted === null ? after : (quoted[1] ?? '').replaceAll(/\\(.)/gs, '$1') } };
}

/** How a Structured Field value maps to a directive's argument (RFC 9213 section 2.1). */
function argumentOf(bare: DictionaryMember['value']): Member['argument'] {
  if (bare === true) return undefined;
  if (typeof bare === 'number') return { text: String(bare) };
  // Seconds are Integers: a String of digits is of the wrong type, while a list of fields is a String.
  return typeof bare === 'string' && !/^\d+$/.test(bare) ? { text: bare } : 'invalid';
}
