import type { Generation } from '../generation/generation.ts';
import type { StoreParts } from '../store/store-parts.ts';

const entriesAtOnce = 128;
/** Scans of the index at once: enough to keep its threads busy. */
const removalsAtOnce = 32;

/** Writes the first changes in line. What they orphan is left in `removals`. */
export async function writeEntries(parts: StoreParts, generation: Generation): Promise<void> {
  const { entryQueue, entryIndex, pieceIndex, removals, forgotten } = parts;
  const changes = entryQueue.peek(entriesAtOnce);
  if (changes.length === 0) return;
  const { orphans, bytes } = await entryIndex.replace(changes, generation.number);
  for (const [key, entry] of changes) entryQueue.done(key, entry);
  // Pieces of representations that no entry has any more cannot be asked for after a restart.
  // Those that are forgotten are not looked for again: LevelDB would go through all that was deleted around them.
  for (const id of orphans) if (!forgotten.delete(id)) removals.add(id);
  generation.bytes += bytes;
  await pieceIndex.saveStates([generation]);
}

/** Makes the index forget representations that were removed. Their bytes leave with their generations. */
export async function applyRemovals(parts: StoreParts): Promise<void> {
  const { removals, forgotten, pieceIndex, generations } = parts;
  while (removals.size > 0) {
    const ids = removals.values().take(removalsAtOnce).toArray();
    const changed = new Set<Generation>();
    const forget = (id: number) =>
      pieceIndex.forgetAll(id, (number) => {
        const generation = generations.get(number);
        if (generation === undefined) return;
        generation.pieces--;
        changed.add(generation);
      });
    await Promise.all(ids.map(forget));
    await pieceIndex.saveStates([...changed]);
    for (const id of ids) {
      removals.delete(id);
      forgotten.set(id, true);
    }
  }
}
