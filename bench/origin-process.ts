import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { OriginCommand, OriginCount } from './origin.ts';
import { freePort, type Rig } from './rig.ts';

const program = fileURLToPath(new URL('./origin.ts', import.meta.url));
const answerTimeoutMs = 10_000;

/** The origin as the bench sees it. */
export interface Origin {
  readonly url: string;
  readonly pid: number;
  /** All requests since it started. */
  count(): Promise<OriginCount>;
  /** Time from each request to the head of its answer, from now on. */
  setDelay(delayMs: number): Promise<void>;
}

export async function startOrigin(rig: Rig): Promise<Origin> {
  const port = await freePort();
  const { child, pid } = rig.start([process.execPath, program, String(port)], { core: rig.loadCore, ipc: true });
  const answer = async () =>
    (await once(child, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) }))[0] as OriginCount;
  const ask = async (command: OriginCommand) => {
    const answered = answer();
    child.send(command);
    return answered;
  };
  await answer();
  return {
    url: `http://127.0.0.1:${port}`,
    pid,
    count: () => ask({ kind: 'count' }),
    setDelay: async (delayMs) => {
      await ask({ kind: 'delay', delayMs });
    },
  };
}
