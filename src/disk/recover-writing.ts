import type { DiskFailure } from './health.ts';
import type { StoreParts } from './store/store-parts.ts';

/**
 * Makes the databases take writes again after a failure: after a failed write LevelDB refuses all others until it is
 * opened anew. A full disk first gets back what the oldest generation takes. Rejects when the disk still fails.
 */
export async function recoverWriting(parts: StoreParts, failure: DiskFailure): Promise<void> {
  const { generations, index } = parts;
  if (failure.from === 'read') return;
  if (failure.trouble === 'full') await giveUpOldest(parts);
  const lost = await index.reopen();
  if (lost) await giveUpAll(parts);
  const before = await generations.rollOver();
  if (before.sequence === 0) await generations.destroy(before);
  for (const generation of generations.unflushed) await generations.reopen(generation);
}

/** Deletes first and leaves the index for later, since it cannot be written now. */
async function giveUpOldest({ generations, settings }: StoreParts): Promise<void> {
  const oldest = generations.oldestSealed;
  if (oldest === undefined) return;
  generations.missing.add(oldest.number);
  await generations.destroy(oldest);
  settings.log.warn({ generation: oldest.number }, 'the disk is full; the oldest generation was deleted');
}

/** Without the index nobody can find a piece. */
async function giveUpAll({ generations, open }: StoreParts): Promise<void> {
  open.clear();
  for (let oldest = generations.oldestSealed; oldest !== undefined; oldest = generations.oldestSealed) {
    await generations.destroy(oldest);
  }
}
