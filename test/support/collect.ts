import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage until this holds, once at least: those who are told of what was collected have been. Throws after ten seconds. */
export async function collectUntil(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  do {
    if (performance.now() > endMs) throw new Error('what should be collected is not');
    collect();
    await sleep(1);
  } while (!holds());
}
