import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';

/**
 * Threads by the name that libuv and node give them; a thread that one of them starts, as LevelDB's for tables, has the
 * name too. Nice values as measured in docs/decisions/fills.md.
 */
const pool = { name: 'libuv-worker', nice: 5 };
const collector = { name: 'node-V8Worker', nice: 10 };
/** They are late then, when there is much to do: some 60 MB more are resident, for which a small tier leaves no room. */
const ramBytesMin = 1024 ** 3;
const tasks = '/proc/self/task';

/**
 * Lets the threads of the pool, which write to the disk, stand back behind the one that serves, where they share a core.
 * To be called when the disk is open, since they must be there. What is on its way to the disk must not pile up on a busy
 * machine: they keep a third of the usual weight.
 */
export function lowerPoolPriority(): void {
  lower(pool);
}

/**
 * The same for V8's threads, where the process has one core: each of them, woken for a mark of the heap, would have the
 * core for a whole tick of the scheduler, one after the other, before the one that serves. With more cores they would wait
 * behind other programs on theirs, and the one that serves for them.
 * @param ramBytesMax what the RAM tier may hold
 */
export function lowerCollectorPriority(ramBytesMax: number): void {
  if (availableParallelism() === 1 && ramBytesMax >= ramBytesMin) lower(collector);
}

/** Only on Linux has each thread a priority of its own. */
function lower({ name, nice }: { name: string; nice: number }): void {
  if (process.platform !== 'linux') return;
  try {
    for (const thread of readdirSync(tasks)) {
      if (readFileSync(`${tasks}/${thread}/comm`, 'latin1').trim() === name) setPriority(Number(thread), nice);
    }
  } catch {
    // It is not allowed, or a thread has just ended: they are as they were.
  }
}
