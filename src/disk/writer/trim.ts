import { levelDeadlineMs, withDeadline } from '../database/level.ts';
import { heldBytes, type StoreParts } from '../store/store-parts.ts';
import { reclaim } from './reclaim.ts';

const generationsMax = 256;

/** Lets the oldest generations go until the newest one can be filled within the budget and what the disk has left. */
export async function trim(parts: StoreParts, scratch: Buffer): Promise<void> {
  const { generations, settings, index } = parts;
  await index.measure();
  for (;;) {
    const oldest = generations.oldestSealed;
    if (oldest === undefined) return;
    const toCome = Math.max(0, settings.generationBytes - generations.active.bytes);
    // A compaction of the index holds some of it twice for a moment.
    const fits = heldBytes(parts) + index.bytes / 4 + toCome + settings.reserveBytes <= settings.bytesMax;
    const asking = 'asking the file system for its free space';
    const free = await withDeadline(generations.freeBytes(), levelDeadlineMs, asking);
    if (fits && generations.count <= generationsMax && free >= toCome + 2 * settings.writeBufferBytes) return;
    await reclaim(parts, oldest.number, { scratch });
  }
}
