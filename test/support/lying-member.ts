import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessCell } from './cell.ts';

/**
 * What is wrong with what it gives: one byte in the middle; 20 KB/s; bytes of an older version, or the right ones under
 * an old ETag; nothing, although its digest says otherwise.
 */
export type Lie = 'none' | 'flips' | 'slow' | 'old-validator' | 'claims';

export interface LyingMemberOptions {
  readonly lie: Lie;
  readonly directory: string;
  readonly cell: string;
  readonly keyFile: string;
  readonly origin: string;
  readonly bootstrap: readonly string[];
  readonly listen?: string;
}

export interface LyingMemberCommand {
  readonly lie?: Lie;
  /** Paths that its digest is to claim from now on. */
  readonly claims?: readonly string[];
}

export interface LyingMemberReport {
  readonly peerId: string;
  readonly address: string;
  /** Requests of peers so far. */
  readonly asked: number;
}

export interface LyingMember {
  readonly peerId: string;
  tell(command: LyingMemberCommand): Promise<LyingMemberReport>;
  close(): void;
}

const program = fileURLToPath(new URL('./lying-member-child.ts', import.meta.url));
const answerTimeoutMs = 20_000;

/** A member with the cell's key that lies; resolves once all running nodes of the cell have it up. */
export async function startLyingMember(
  cell: ProcessCell,
  { lie, origin }: { lie: Lie; origin: string },
): Promise<LyingMember> {
  const directory = join(cell.directory, `liar-${Date.now()}`);
  await mkdir(directory, { recursive: true });
  const bootstrap = cell.running.slice(0, 1).flatMap(({ peers }) => peers.slice(0, 1));
  const { name, keyFile } = cell;
  const options: LyingMemberOptions = { lie, directory, cell: name, keyFile, origin, bootstrap };
  const child = fork(program, [JSON.stringify(options)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  const report = async () =>
    (await once(child, 'message', { signal: AbortSignal.timeout(answerTimeoutMs) }))[0] as LyingMemberReport;
  const { peerId } = await report();
  for (const node of cell.running)
    await cell.sees(node, (peers) => peers.some((peer) => peer.peerId === peerId && peer.state === 'up'));
  return {
    peerId,
    tell: (command) => {
      const answered = report();
      child.send(command);
      return answered;
    },
    close: end,
  };
}
