import { cacheKey } from '../../cache/key.ts';
import type { MapPolicy } from '../../cache/types.ts';

/** Where the target of a request belongs. */
export interface Mapping {
  readonly policy: MapPolicy;
  readonly key: string;
  readonly policies: readonly MapPolicy[];
}

/** A request that may come again; what was found out about it is kept with it. */
interface Mapped {
  readonly target: string;
  mapping?: Mapping;
}

/** The policy for the target and its cache key; undefined: none covers it. */
export function mappingOf(request: Mapped, longestFirst: readonly MapPolicy[]): Mapping | undefined {
  if (request.mapping?.policies === longestFirst) return request.mapping;
  const policy = policyFor(request.target, longestFirst);
  if (policy === undefined) return undefined;
  request.mapping = { policy, key: cacheKey({ target: request.target, policy }), policies: longestFirst };
  return request.mapping;
}

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
