import { fileURLToPath } from 'node:url';
import type { Rig } from '../rig.ts';

/** The programs in this folder, each a process on the load generator's core. */
export type ClientProgram = 'audience' | 'herd' | 'live' | 'paced' | 'rate';

/** Runs one with its options and resolves to what it prints. */
export async function runClient<Options, Result>(
  rig: Rig,
  program: ClientProgram,
  { options, ...how }: { options: Options; timeoutMs: number; yields?: boolean },
): Promise<Result> {
  const file = fileURLToPath(new URL(`./${program}.ts`, import.meta.url));
  const command = [process.execPath, file, JSON.stringify(options)];
  return JSON.parse(await rig.run(command, { core: rig.loadCore, ...how })) as Result;
}

/** The options a client program was started with. */
export function clientOptions<Options>(): Options {
  return JSON.parse(process.argv[2] ?? '{}') as Options;
}
