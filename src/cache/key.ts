import { createHash } from 'node:crypto';
import type { MapPolicy } from './types.ts';

/** The one query parameter that tells the origin nothing about what is asked for (CTA-5004 section 3.3). */
const cmcd = 'CMCD';

/** Longer keys end in a digest of the whole target; a prefix up to this length still finds them. */
const keyTargetMax = 1024;

/**
 * The cache key: which map, and the target with spellings that mean the same made one (RFC 3986 section 6.2.2) and
 * the parameters that the map ignores left out. Keys sort by map, then path.
 */
export function cacheKey({ target, policy }: { readonly target: string; readonly policy: MapPolicy }): string {
  if (!target.includes('?') && !target.includes('%') && target.length <= keyTargetMax)
    return `${policy.name} ${target}`;
  const ignored = (name: string): boolean => name === cmcd || policy.queryIgnored.includes(name);
  const same = withoutEmptyQuery(withoutParameters(normalised(target), ignored));
  if (same.length <= keyTargetMax) return `${policy.name} ${same}`;
  const digest = createHash('sha256').update(same).digest('hex');
  return `${policy.name} ${same.slice(0, keyTargetMax)}#${digest}`;
}

/** The target as the origin gets it: untouched but for the CMCD parameter, which would make every request unlike. */
export function originTarget(target: string): string {
  const left = withoutParameters(target, (name) => name === cmcd);
  return left === target ? target : withoutEmptyQuery(left);
}

function withoutParameters(target: string, ignored: (name: string) => boolean): string {
  const mark = target.indexOf('?');
  if (mark < 0) return target;
  const parameters = target.slice(mark + 1).split('&');
  const kept = parameters.filter((parameter) => !ignored(normalised(nameOf(parameter))));
  return kept.length === parameters.length ? target : `${target.slice(0, mark)}?${kept.join('&')}`;
}

function nameOf(parameter: string): string {
  const equals = parameter.indexOf('=');
  return equals < 0 ? parameter : parameter.slice(0, equals);
}

function withoutEmptyQuery(target: string): string {
  return target.endsWith('?') && target.indexOf('?') === target.length - 1 ? target.slice(0, -1) : target;
}

/**
 * Percent-encoded unreserved characters decoded, other percent-encodings in upper case. As it came where a percent sign
 * stands for nothing: `%%32F` is not `%2F`, and what is stored for one must not be given for the other.
 */
function normalised(text: string): string {
  if (!text.includes('%') || /%(?![0-9a-f]{2})/i.test(text)) return text;
  return text.replaceAll(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : encoded.toUpperCase();
  });
}
