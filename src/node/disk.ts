import { join } from 'node:path';
import type { Config } from '../config.ts';
import { DiskTier } from '../disk/tier.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { failureOf, LateDisk } from './late-disk.ts';
import { lowerPoolPriority } from './process/thread-priority.ts';

export interface Disk {
  /** Undefined when it is off. */
  readonly tier: DiskTier | LateDisk | undefined;
  health(): { readonly state: 'ok' | 'full' | 'failed'; readonly reason?: string };
}

interface OpenDiskOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Between tries to get a disk that cannot be used. */
  readonly retryIntervalMs?: number;
}

const mebibyte = 1024 * 1024;

/** A disk that cannot be used is no reason not to serve: the node runs from RAM and origin, says so, and tries again. */
export async function openDisk(config: Config, options: OpenDiskOptions): Promise<Disk> {
  const { log, metrics, retryIntervalMs = 5_000 } = options;
  if (config.diskBytesMax === 0) return { tier: undefined, health: () => ({ state: 'ok' }) };
  const open = async ({ startsEmpty }: { startsEmpty: boolean }) => {
    const tier = await DiskTier.open({
      directory: join(config.dataDir, 'store'),
      bytesMax: config.diskBytesMax,
      ...memoryFor(config.ramBytesMax),
      ...{ log, retryIntervalMs, startsEmpty },
      onEvicted: (bytes) => metrics.evictedBytes.disk.add(bytes),
    });
    lowerPoolPriority();
    return tier;
  };
  const tier = await open({ startsEmpty: false }).catch((error: unknown) => {
    const { reason } = failureOf(error);
    log.error({ directory: config.dataDir, reason }, 'the disk tier is off: serving from RAM and origin');
    return new LateDisk({ openEmpty: () => open({ startsEmpty: true }), error, retryIntervalMs });
  });
  return { tier, health: () => tier.health() };
}

/** What the disk tier may hold in memory beside a RAM tier of that size: pieces that wait for it, and places of pieces. */
function memoryFor(ramBytesMax: number): { queueBytesMax: number; openPiecesMax: number } {
  const between = (least: number, wanted: number, most: number): number => Math.min(most, Math.max(least, wanted));
  return {
    queueBytesMax: between(8 * mebibyte, Math.floor(ramBytesMax / 16), 64 * mebibyte),
    openPiecesMax: between(250_000, Math.floor(ramBytesMax / 512), 1_000_000),
  };
}
