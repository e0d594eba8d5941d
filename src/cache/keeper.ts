import type { Keeper } from './held-pieces.ts';
import type { Representation } from './representation.ts';
import type { Tier } from './types.ts';

/** The tiers, as a flight of that representation sees them. */
export function keeperOf(representation: Representation, tiers: readonly Tier[]): Keeper {
  const { id } = representation;
  return {
    put: (first, bytes) => {
      for (const tier of tiers) tier.put(id, first, bytes);
    },
    has: (first, length) => {
      // A tier may lose what it has; what cannot be fetched again must not depend on it.
      if (representation.strongValidator === undefined) return false;
      return tiers.some((tier) => {
        const span = tier.find(id, first);
        return span !== undefined && span.first <= first && span.first + span.length >= first + length;
      });
    },
  };
}
