import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

/** A time that only a broken test needs, however slow and busy the machine is. */
export const patienceMs = 20_000;
/** What is about to happen has then happened; what takes longer is looked for without keeping a core from it. */
const turnsAtOnce = 100;
const lookEveryMs = 5;

/** Lets the process go on until that holds. */
export async function until(holds: () => boolean, what = 'what the test waits for'): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (let turns = 0; !holds(); turns++) {
    if (performance.now() > deadline) throw new Error(`${what} did not happen`);
    await (turns < turnsAtOnce ? turn() : sleep(lookEveryMs));
  }
}

/** Tries that until it does not throw; rejects with what it threw last. */
export async function soon(attempt: () => unknown, everyMs = 20): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(everyMs);
  }
}
