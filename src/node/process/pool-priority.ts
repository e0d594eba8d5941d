import { readdirSync, readFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** What libuv calls them; a thread that one of them starts, as LevelDB's for tables, has the name too. */
const poolThread = 'libuv-worker';
/** A third of the weight of the usual 0: what is on its way to the disk must not pile up on a busy machine. */
const nice = 5;
const tasks = '/proc/self/task';

/**
 * Lets the threads of the pool, which write to the disk, stand back behind the one that serves, where they share a core.
 * To be called when the disk is open, since they must be there. Only on Linux has each thread a priority of its own.
 */
export function lowerPoolPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    for (const thread of readdirSync(tasks)) {
      const name = readFileSync(`${tasks}/${thread}/comm`, 'latin1').trim();
      if (name === poolThread) setPriority(Number(thread), nice);
    }
  } catch {
    // It is not allowed, or a thread has just ended: they are as they were.
  }
}
