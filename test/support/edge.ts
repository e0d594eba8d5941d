import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { VideoCache } from '../../src/cache/cache.ts';
import { cacheKey } from '../../src/cache/key.ts';
import { namedBy } from '../../src/cache/stored/purge.ts';
import type { Cache, MapPolicy, Source } from '../../src/cache/types.ts';
import { limitsSchema } from '../../src/config/limits.ts';
import { DiskTier } from '../../src/disk/tier.ts';
import type { AccessRecord } from '../../src/http/exchange/access.ts';
import { startViewers } from '../../src/http/listener.ts';
import type { FileBacking } from '../../src/http/socket/file-writes.ts';
import type { CellVoice } from '../../src/live/channels/cell-voice.ts';
import type { Clock } from '../../src/live/clock.ts';
import { LiveCache, type LiveCacheOptions } from '../../src/live/live-cache.ts';
import type { LiveSettings } from '../../src/live/mapped-urls.ts';
import type { ClientData } from '../../src/live/prefetch/cmcd.ts';
import type { Outcome } from '../../src/live/prefetch/prefetcher.ts';
import type { PrefetchLimits } from '../../src/live/prefetch/viewing.ts';
import type { OriginMap } from '../../src/origin/origin-map.ts';
import { OriginSupplier } from '../../src/origin/supplier.ts';
import { Arena } from '../../src/ram/arena.ts';
import { type RamArena, RamTier } from '../../src/ram/tier.ts';
import { AskServer } from '../../src/workers/ask-server.ts';
import { BatchedPort, receiveAll } from '../../src/workers/batched-port.ts';
import { Lender } from '../../src/workers/lender.ts';
import { LentMemory } from '../../src/workers/lent-memory.ts';
import type { ToMain, ToThread } from '../../src/workers/messages.ts';
import { RelayedCache } from '../../src/workers/relayed-cache.ts';
import { liveDefaults } from './live-defaults.ts';
import { removeTree } from './remove-tree.ts';

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
  /** Of the disk tier. */
  readonly openPiecesMax?: number;
  /** Kept and not removed when given. */
  readonly directory?: string;
  readonly policy?: Partial<MapPolicy>;
  readonly origin?: Partial<OriginMap>;
  readonly now?: () => number;
  /** Viewers are served as threads beside the main one serve them, by so many relays; all in this thread though. */
  readonly relays?: number;
  /** Default: as configured by default, but that playlists say no more than the origin does. */
  readonly live?: Partial<LiveSettings>;
  /** Fetch ahead of viewers, within these bounds. Default: do not. */
  readonly prefetch?: PrefetchLimits;
  /** Time of the live mirror. Default: the real one. */
  readonly liveClock?: Clock;
  /** What the live mirror knows of a cell. */
  readonly voice?: CellVoice;
  /** Hears of faults. Default: nobody does. */
  readonly log?: EdgeLog;
  /** Called for each request that ended. */
  readonly onFinished?: (record: AccessRecord) => void;
  /** Called with how long after the owner the mirror learnt of a version, in milliseconds. */
  readonly onTold?: (lagMs: number) => void;
}

/** What came of fetches ahead of viewers, and what players said. */
export interface Ahead {
  readonly requests: Partial<Record<Outcome, number>>;
  readonly bytes: { useful: number; wasted: number };
  readonly players: { readonly data: ClientData; readonly stream: string | undefined }[];
}

interface EdgeLog {
  info(about: object, message: string): void;
  warn(about: object, message: string): void;
  error(about: object, message: string): void;
  debug(about: object, message: string): void;
}

/** A whole node in this process: real sockets, real stores, no command line. */
export interface Edge {
  readonly url: string;
  /** One for each relay. */
  readonly urls: readonly string[];
  /** Of each relay. */
  sizes(): readonly RelayedCache['sizes'][];
  purge(which: Parameters<VideoCache['purge']>[0]): Promise<number>;
  readonly cache: VideoCache;
  readonly live: LiveCache;
  readonly served: Record<Source, number>;
  readonly ahead: Ahead;
  readonly disk: DiskTier | undefined;
  close(): Promise<void>;
}

const mebibyte = 1024 * 1024;
const quiet = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };

export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'eddy-edge-')));
  const { ramBytes = 64 * mebibyte, diskBytes = 0, now = Date.now, log = quiet } = options;
  const { openPiecesMax } = options;
  const bounds = { bytesMax: diskBytes, ...(openPiecesMax !== undefined && { openPiecesMax }) };
  const disk = diskBytes === 0 ? undefined : await DiskTier.open({ directory, ...bounds, log });
  const policy = { ...testPolicy, ...options.policy };
  const supplier = new OriginSupplier({
    maps: [{ name: policy.name, prefix: policy.prefix, upstreams: options.origins, ...options.origin }],
  });
  const served: Record<Source, number> = { ram: 0, disk: 0, peer: 0, origin: 0 };
  const onServed = (source: Source, bytes: number): void => {
    served[source] += bytes;
  };
  const ahead: Ahead = { requests: {}, bytes: { useful: 0, wasted: 0 }, players: [] };
  const relayed = options.relays ?? Number(process.env['EDGE_RELAYS'] ?? 0);
  const arena: RamArena | undefined = Arena.open(ramBytes);
  const offsetOf = (bytes: Buffer) => arena?.offsetOf(bytes);
  const lender = new Lender({ keysMax: 1000, onShared: () => {}, offsetOf });
  const ram = new RamTier({ bytesMax: ramBytes, onDropped: lender.dropped, arena });
  const cache = new VideoCache({
    ram,
    disk: disk && { tier: disk, entries: disk },
    suppliers: [supplier],
    policies: () => [policy],
    entriesMax: 100_000,
    now,
    onServed,
    onBackgroundError: () => {},
    onChanged: lender.changed,
  });
  const map = { name: policy.name, prefix: policy.prefix, origins: options.origins };
  const live = new LiveCache({
    inner: cache,
    keyOf: cacheKey,
    namedBy: (which) => namedBy(which, [policy]),
    maps: () => [{ ...map, live: { ...liveDefaults, offerBlockingReload: false, ...options.live } }],
    onServed,
    log,
    ...(options.liveClock && { clock: options.liveClock }),
    ...(options.voice && { voice: options.voice }),
    ...(options.onTold && { onTold: options.onTold }),
    ...(options.prefetch && { viewing: viewingOf(options.prefetch, ahead) }),
  });
  const relays = Array.from({ length: relayed }, () => {
    const { port1, port2 } = new MessageChannel();
    const port = new BatchedPort<ToMain>(port1);
    const memory = arena && new LentMemory(arena, (loan) => port.postMessage({ kind: 'returned', loan }));
    const relay = new RelayedCache(port, { now, onServed, onShared: () => {}, memory });
    const askServer = new AskServer(new BatchedPort(port2), {
      cache: live,
      lending: {
        loan: (content) => cache.loan(content),
        touch: (key) => {
          cache.touch(key);
          live.used(key);
        },
      },
      ram,
      lender,
      policies: () => [policy],
    });
    receiveAll<ToThread>(port1, (message) => relay.receive(message));
    receiveAll<ToMain>(port2, (message) => askServer.receive(message));
    const close = () => {
      askServer.close();
      port1.close();
    };
    return { relay, memory, close };
  });
  const given: readonly { cache: Cache; backing: FileBacking | undefined }[] =
    relays.length > 0
      ? relays.map(({ relay, memory }) => ({ cache: relay, backing: memory }))
      : [{ cache: live, backing: arena }];
  const fronts = await Promise.all(
    given.map((each) =>
      startViewers({
        listen: [{ host: '127.0.0.1', port: 0 }],
        ...each,
        policies: [policy],
        limits: { ...limitsSchema.parse({}), connectionsMax: 4096 },
        log,
        onFinished: options.onFinished ?? (() => {}),
      }),
    ),
  );
  return {
    url: fronts[0]?.urls[0] ?? '',
    urls: fronts.map(({ urls }) => urls[0] ?? ''),
    sizes: () => relays.map(({ relay }) => relay.sizes),
    purge: async (which) => {
      const purged = await live.purge(which, AbortSignal.timeout(10_000));
      await lender.settled();
      return purged;
    },
    cache,
    live,
    served,
    ahead,
    disk,
    close: async () => {
      live.close();
      await Promise.all(fronts.map((each) => each.close()));
      for (const each of relays) each.close();
      await supplier.close();
      await disk?.close();
      if (options.directory === undefined) await removeTree(directory);
    },
  };
}

function viewingOf(limits: PrefetchLimits, ahead: Ahead): NonNullable<LiveCacheOptions['viewing']> {
  return {
    limits,
    counts: {
      prefetch: {
        requests: (outcome) => {
          ahead.requests[outcome] = (ahead.requests[outcome] ?? 0) + 1;
        },
        bytes: (outcome, bytes) => {
          ahead.bytes[outcome] += bytes;
        },
      },
      player: (data, stream) => ahead.players.push({ data, stream }),
    },
    says: () => ({ name: 'eddy-test' }),
  };
}
