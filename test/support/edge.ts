import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VideoCache } from '../../src/cache/cache.ts';
import type { MapPolicy, Source } from '../../src/cache/types.ts';
import { DiskTier } from '../../src/disk/tier.ts';
import { startViewers } from '../../src/http/listener.ts';
import type { OriginMap } from '../../src/origin/origin-map.ts';
import { OriginSupplier } from '../../src/origin/supplier.ts';
import { RamTier } from '../../src/ram/tier.ts';

export const testPolicy: MapPolicy = {
  name: 'default',
  prefix: '/',
  cors: false,
  queryIgnored: [],
  targetedFields: ['eddy-cache-control', 'cdn-cache-control'],
  segmentLifetimeSeconds: 3600,
  heuristicFraction: 0.1,
  heuristicLifetimeSecondsMax: 86_400,
  negativeLifetimeSeconds: 2,
  staleWhileRevalidateSeconds: 0,
  staleIfErrorSeconds: 600,
  requestDirectives: true,
};

export interface EdgeOptions {
  /** Upstream URLs in failover order. */
  readonly origins: readonly string[];
  readonly ramBytes?: number;
  /** 0: no disk tier. */
  readonly diskBytes?: number;
  /** Kept and not removed when given. */
  readonly directory?: string;
  readonly policy?: Partial<MapPolicy>;
  readonly origin?: Partial<OriginMap>;
  readonly now?: () => number;
}

/** A whole node in this process: real sockets, real stores, no command line. */
export interface Edge {
  readonly url: string;
  readonly cache: VideoCache;
  readonly served: Record<Source, number>;
  readonly disk: DiskTier | undefined;
  close(): Promise<void>;
}

const mebibyte = 1024 * 1024;
const quiet = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'eddy-edge-')));
  const { ramBytes = 64 * mebibyte, diskBytes = 0, now = Date.now } = options;
  const disk = diskBytes === 0 ? undefined : await DiskTier.open({ directory, bytesMax: diskBytes, log: quiet });
  const policy = { ...testPolicy, ...options.policy };
  const supplier = new OriginSupplier({
    maps: [{ name: policy.name, prefix: policy.prefix, upstreams: options.origins, ...options.origin }],
  });
  const served: Record<Source, number> = { ram: 0, disk: 0, peer: 0, origin: 0 };
  const cache = new VideoCache({
    ram: new RamTier({ bytesMax: ramBytes }),
    disk: disk && { tier: disk, entries: disk },
    suppliers: [supplier],
    policies: () => [policy],
    entriesMax: 100_000,
    now,
    onServed: (source, bytes) => {
      served[source] += bytes;
    },
    onBackgroundError: () => {},
  });
  const viewers = await startViewers({
    listen: [{ host: '127.0.0.1', port: 0 }],
    cache,
    policies: [policy],
    limits: { connectionsMax: 4096 },
    log: quiet,
    onFinished: () => {},
  });
  return {
    url: viewers.urls[0] ?? '',
    cache,
    served,
    disk,
    close: async () => {
      await viewers.close();
      await supplier.close();
      await disk?.close();
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
