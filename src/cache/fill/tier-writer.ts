import type { Keeper } from '../flight/held-pieces.ts';
import { Recent } from '../recent.ts';
import type { Representation } from '../stored/representation.ts';
import type { RepresentationId, Tier } from '../types.ts';

/** A piece that was offered to the tiers, and the cache key of what it is a part of. */
export interface KeptPiece {
  readonly key: string;
  readonly id: RepresentationId;
  readonly first: number;
}

/** Pieces from peers that are remembered, at most twice as many. */
const rememberedMax = 16_384;

/** Puts finished pieces into the tiers. */
export class TierWriter {
  readonly #tiers: readonly Tier[];
  readonly #onKept: ((piece: KeptPiece) => void) | undefined;
  readonly #fromPeers = new Recent<string, true>(rememberedMax);

  constructor(tiers: readonly Tier[], onKept?: (piece: KeptPiece) => void) {
    this.#tiers = tiers;
    this.#onKept = onKept;
  }

  /** The tiers, as a flight of that representation sees them. */
  of(representation: Representation): Keeper {
    const { id, key } = representation;
    return {
      put: (first, bytes, source) => {
        const cold = source === 'peer' && !this.#again(id, first);
        // The peer has it on its disk: the disks of a cell add up. What is fetched again is worth a place here too.
        for (const tier of this.#tiers) if (!cold || tier.name !== 'disk') tier.put(id, first, bytes);
        this.#onKept?.({ key, id, first });
      },
      has: (first, length) => {
        // A tier may lose what it has; what cannot be fetched again must not depend on it.
        if (representation.strongValidator === undefined) return false;
        return this.#tiers.some((tier) => {
          const span = tier.find(id, first);
          return span !== undefined && span.first <= first && span.first + span.length >= first + length;
        });
      },
    };
  }

  #again(id: RepresentationId, first: number): boolean {
    const name = `${id} ${first}`;
    if (this.#fromPeers.get(name) === true) return true;
    this.#fromPeers.set(name, true);
    return false;
  }
}
