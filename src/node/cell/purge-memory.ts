import type { Purge } from '../../cache/types.ts';
import { purgeContent } from '../../http/admin/admin-purge.ts';

interface RememberedPurge {
  readonly which: Purge;
  /** Epoch milliseconds of this node's clock. */
  readonly atMs: number;
  /** This node purged it itself; else it keeps it in mind for others. */
  readonly heeded: boolean;
}

export interface KeptPurge extends RememberedPurge {
  /** `which` as JSON, to compare, to measure and to tell it by. */
  readonly text: string;
}

const purgesMax = 256;
/** Of what they are as JSON. */
const bytesMax = 128 * 1024;
/** Members that tell of one purge do not agree on its time to the millisecond. */
const sameMs = 1_000;

/** The last purges of the cell, for members that were away. What is too much becomes a purge of all there was by then. */
export class PurgeMemory {
  #purges: readonly KeptPurge[] = [];

  /** Returns whether it is news. */
  add(added: RememberedPurge): boolean {
    const { atMs, heeded } = added;
    const kept: KeptPurge = { ...added, text: purgeContent(added.which) };
    const isKnown = this.#purges.some(
      (known) => known.atMs >= atMs - sameMs && covers(known, kept) && (known.heeded || !heeded),
    );
    if (isKnown) return false;
    const others = this.#purges.filter((known) => known.atMs > atMs || !covers(kept, known));
    this.#purges = bounded([...others, kept].sort((one, other) => one.atMs - other.atMs));
    return true;
  }

  /** Oldest first. */
  list(): readonly KeptPurge[] {
    return this.#purges;
  }
}

/** As many of the last ones as there is room for, and one that covers all before them. */
function bounded(purges: readonly KeptPurge[]): readonly KeptPurge[] {
  let bytes = purges.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  let count = 0;
  for (const { text } of purges) {
    if (purges.length - count < purgesMax && bytes <= bytesMax) break;
    bytes -= Buffer.byteLength(text);
    count++;
  }
  const forgotten = purges.slice(0, count);
  const last = forgotten.at(-1);
  if (last === undefined) return purges;
  const heeded = forgotten.every((each) => each.heeded);
  return [{ which: 'all', text: purgeContent('all'), atMs: last.atMs, heeded }, ...purges.slice(count)];
}

function covers(one: KeptPurge, other: KeptPurge): boolean {
  return one.which === 'all' || one.text === other.text;
}
