import { join } from 'node:path';
import type { Config } from '../config.ts';
import { DiskTier } from '../disk/tier.ts';
import { EddyError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { lowerPoolPriority } from './pool-priority.ts';

export interface Disk {
  /** Undefined when it is off, or cannot be used. */
  readonly tier: DiskTier | undefined;
  health(): { readonly state: 'ok' | 'full' | 'failed'; readonly reason?: string };
}

/** A disk that cannot be used is no reason not to serve: the node runs from RAM and origin, and says so. */
export async function openDisk(config: Config, { log, metrics }: { log: Log; metrics: Metrics }): Promise<Disk> {
  if (config.diskBytesMax === 0) return { tier: undefined, health: () => ({ state: 'ok' }) };
  try {
    const tier = await DiskTier.open({
      directory: join(config.dataDir, 'store'),
      bytesMax: config.diskBytesMax,
      log,
      onEvicted: (bytes) => metrics.evictedBytes.disk.add(bytes),
    });
    lowerPoolPriority();
    return { tier, health: () => tier.health() };
  } catch (error) {
    const state = error instanceof EddyError && error.code === 'disk-full' ? 'full' : 'failed';
    const reason = error instanceof Error ? error.message : String(error);
    log.error({ directory: config.dataDir, reason }, 'the disk tier is off: serving from RAM and origin');
    return { tier: undefined, health: () => ({ state, reason }) };
  }
}
