import { join } from 'node:path';
import type { Config } from '../config.ts';
import { DiskTier } from '../disk/tier.ts';
import { EddyError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { lowerPoolPriority } from './process/pool-priority.ts';

export interface Disk {
  /** Undefined when it is off, or cannot be used. */
  readonly tier: DiskTier | undefined;
  health(): { readonly state: 'ok' | 'full' | 'failed'; readonly reason?: string };
}

const mebibyte = 1024 * 1024;

/** A disk that cannot be used is no reason not to serve: the node runs from RAM and origin, and says so. */
export async function openDisk(config: Config, { log, metrics }: { log: Log; metrics: Metrics }): Promise<Disk> {
  if (config.diskBytesMax === 0) return { tier: undefined, health: () => ({ state: 'ok' }) };
  try {
    const tier = await DiskTier.open({
      directory: join(config.dataDir, 'store'),
      bytesMax: config.diskBytesMax,
      ...memoryFor(config.ramBytesMax),
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

/** What the disk tier may hold in memory beside a RAM tier of that size: pieces that wait for it, and places of pieces. */
function memoryFor(ramBytesMax: number): { queueBytesMax: number; openPiecesMax: number } {
  const between = (least: number, wanted: number, most: number): number => Math.min(most, Math.max(least, wanted));
  return {
    queueBytesMax: between(16 * mebibyte, Math.floor(ramBytesMax / 16), 64 * mebibyte),
    openPiecesMax: between(250_000, Math.floor(ramBytesMax / 512), 1_000_000),
  };
}
