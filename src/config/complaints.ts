import type { z } from 'zod';
import { closest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

/** How a value is named to whoever wrote it: `--ram`, `EDDY_RAM` or `maps[0].prefix (eddy.yaml:12)`. */
type NameOf = (path: readonly PropertyKey[]) => string;

/** One line for each key that is wrong: which, its value, what is right. */
export function complaintsOf(
  issues: readonly Issue[],
  {
    input,
    nameOf,
    knownKeys,
  }: { input: unknown; nameOf: NameOf; knownKeys: (path: readonly PropertyKey[]) => string[] },
): string[] {
  const lines = issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => unknownKey(nameOf([...issue.path, key]), { key, known: knownKeys(issue.path) }));
    }
    const value = valueAt(input, issue.path);
    if (value === undefined) return `${nameOf(issue.path)} is missing: must be ${rightFor(issue)}`;
    return `${nameOf(issue.path)} is ${shown(value, issue.path)}: must be ${rightFor(issue)}`;
  });
  return [...new Set(lines)];
}

/** The path as it is written: `maps[0].headers`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

export function unknownKey(name: string, { key, known }: { key: string; known: readonly string[] }): string {
  const near = closest(key, known);
  if (near !== undefined) return `${name} is not a key: did you mean ${near}?`;
  return `${name} is not a key: must be one of ${known.join(', ')}`;
}

const shownMax = 80;

/** A value for an error line: never a secret, never long. */
function shown(value: unknown, path: readonly PropertyKey[]): string {
  if (path.some((part) => part === 'adminToken' || part === 'headers')) return '(not shown)';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = JSON.stringify(typeof value === 'string' ? withoutSecrets(value) : value) ?? String(value);
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

/** Less what URLs may carry of credentials: user information and query. */
function withoutSecrets(text: string): string {
  return text.replace(/^([^/]*:)?(\/\/)?[^/?#]*@/, '$1$2…@').replace(/([?#]).*$/s, '$1…');
}

function rightFor(issue: Issue): string {
  if (issue.code === 'invalid_type' && issue.expected === 'object') return 'a mapping of keys to values';
  if (issue.code === 'invalid_key') return 'the name of a header field: letters, digits and hyphens';
  return issue.message;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined)?.[part], input);
}
