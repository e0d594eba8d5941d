import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProcessCell } from './cell.ts';

/**
 * What is wrong with what it gives: one byte in the middle; 20 KB/s; the version before, under its own validator;
 * nothing, although its digest says otherwise.
 */
export type Lie = 'none' | 'flips' | 'slow' | 'old-version' | 'claims';

export interface LyingMemberOptions {
  readonly lie: Lie;
  readonly directory: string;
  readonly cell: string;
  readonly keyFile: string;
  /** Of everything, at the origin. */
  readonly version: number;
  /** Whether the origin's answers have Repr-Digest. */
  readonly reprDigest: boolean;
  readonly bootstrap: readonly string[];
  readonly listen?: string;
}

export interface LyingMemberCommand {
  readonly lie?: Lie;
  readonly version?: number;
  readonly reprDigest?: boolean;
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
export async function startLyingMember(cell: ProcessCell, lie: Lie): Promise<LyingMember> {
  const directory = join(cell.directory, `liar-${Date.now()}`);
  await mkdir(directory, { recursive: true });
  const bootstrap = cell.running.slice(0, 1).flatMap(({ peers }) => peers.slice(0, 1));
  const { name, keyFile } = cell;
  const about = { lie, directory, cell: name, keyFile, bootstrap };
  const options: LyingMemberOptions = { ...about, version: 1, reprDigest: false };
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
