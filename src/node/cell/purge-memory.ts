import type { Purge } from '../../cache/types.ts';
import { purgeContent } from '../../http/admin/admin-purge.ts';
import type { PurgeAt } from './missed-purges.ts';

interface RememberedPurge extends PurgeAt {
  /** This node purged it itself; else it keeps it in mind for others. */
  readonly heeded: boolean;
}

const purgesMax = 256;
const bytesMax = 128 * 1024;
/** Members that tell of one purge do not agree on its time to the millisecond. */
const sameMs = 1_000;

/** The last purges of the cell, for members that were away. What is too much becomes a purge of all there was by then. */
export class PurgeMemory {
  #purges: readonly RememberedPurge[] = [];

  /** Returns whether it is news. */
  add(added: RememberedPurge): boolean {
    const { which, atMs, heeded } = added;
    const isKnown = this.#purges.some(
      (known) => known.atMs >= atMs - sameMs && covers(known.which, which) && (known.heeded || !heeded),
    );
    if (isKnown) return false;
    const others = this.#purges.filter((known) => known.atMs > atMs || !covers(which, known.which));
    this.#purges = bounded([...others, added].sort((a, b) => a.atMs - b.atMs));
    return true;
  }

  /** Oldest first. */
  list(): readonly PurgeAt[] {
    return this.#purges;
  }
}

function bounded(purges: readonly RememberedPurge[]): readonly RememberedPurge[] {
  let bytes = purges.reduce((sum, { which }) => sum + bytesOf(which), 0);
  let count = 0;
  for (const { which } of purges) {
    if (purges.length - count < purgesMax && bytes <= bytesMax) break;
    bytes -= bytesOf(which);
    count++;
  }
  const forgotten = purges.slice(0, count);
  const last = forgotten.at(-1);
  if (last === undefined) return purges;
  const heeded = forgotten.every((each) => each.heeded);
  return [{ which: 'all', atMs: last.atMs, heeded }, ...purges.slice(count)];
}

function covers(one: Purge, other: Purge): boolean {
  return one === 'all' || purgeContent(one) === purgeContent(other);
}

function bytesOf(which: Purge): number {
  return Buffer.byteLength(purgeContent(which));
}
