import type { MapPolicy } from '../cache/types.ts';

/** The policy whose prefix covers the path, the longest first; a prefix ends at a segment boundary. */
export function policyFor(target: string, longestFirst: readonly MapPolicy[]): MapPolicy | undefined {
  return longestFirst.find(({ prefix }) => covers(prefix, target));
}

export function longestFirst(policies: readonly MapPolicy[]): readonly MapPolicy[] {
  return policies.toSorted((a, b) => b.prefix.length - a.prefix.length);
}

function covers(prefix: string, target: string): boolean {
  if (!target.startsWith(prefix)) return false;
  if (prefix.endsWith('/') || target.length === prefix.length) return true;
  const next = target[prefix.length];
  return next === '/' || next === '?';
}
