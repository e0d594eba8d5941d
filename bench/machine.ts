import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { rounded } from './statistics.ts';

/** Where figures were had, as far as it matters to whoever compares them with their own. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly node: string;
  /** Of the last minute before the run. */
  readonly load: number;
}

/** More than this runs beside the bench. */
const loadMax = 0.3;

export function machineOf(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: rounded(totalmem() / 1e9, 3),
    kernel: release(),
    node: process.versions.node,
    load: rounded(loadavg()[0] ?? 0, 2),
  };
}

export function quietEnough({ load }: Machine): boolean {
  return load <= loadMax;
}
