import { VideoCache } from '../cache/cache.ts';
import { cacheKey } from '../cache/key.ts';
import { namedBy } from '../cache/stored/purge.ts';
import type { Config } from '../config.ts';
import type { CellVoice } from '../live/channels/cell-voice.ts';
import { LiveCache } from '../live/live-cache.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Arena } from '../ram/arena.ts';
import { type RamArena, RamTier } from '../ram/tier.ts';
import type { Lender } from '../workers/lender.ts';
import { CellInvalidations, invalidateAsTold, invalidatedTopic } from './cell/cell-invalidations.ts';
import { CellPurges, missedTopic, purgeTopic } from './cell/cell-purges.ts';
import { openPeers, type Peers } from './cell/peers.ts';
import { type Disk, openDisk } from './disk.ts';
import type { NodeMaps } from './maps.ts';
import { spareShare } from './process/process-memory.ts';
import { ReplaceableOrigin } from './replaceable-origin.ts';
import { createLender } from './viewers/viewers.ts';
import { viewingOf } from './viewing.ts';

/** Where bytes are and come from, in the order they are looked for: ram, disk, peers, origin; `live` stands before all. */
export interface Caches {
  readonly live: LiveCache;
  readonly cache: VideoCache;
  readonly ram: RamTier;
  /** Where the kernel sends pieces from without a copy; undefined when it cannot, or nobody would be sent them. */
  readonly arena: RamArena | undefined;
  readonly disk: Disk;
  readonly peers: Peers;
  readonly purges: CellPurges;
  readonly origin: ReplaceableOrigin;
  /** Undefined when viewers are served in this thread. */
  readonly lender: Lender | undefined;
}

interface Surroundings {
  readonly maps: NodeMaps;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly ready: () => boolean;
}

/** What the live mirror says to the cell is under this topic. */
const liveTopic = 'live';

/** Rejects when it cannot listen for peers. */
export async function openCaches(config: Config, around: Surroundings): Promise<Caches> {
  const { maps, metrics, log } = around;
  const policies = () => maps.policies;
  const entriesMax = entriesMaxFor(config.ramBytesMax);
  const arena: RamArena | undefined = config.listen.length > 0 ? Arena.open(config.ramBytesMax) : undefined;
  const lender = createLender(config, { entriesMax, arena });
  const ram = openRam(config, { arena, lender, metrics });
  const disk = await openDisk(config, { log, metrics });
  const origin = new ReplaceableOrigin(maps.maps, { log, metrics });
  // Peers ask the caches, and the caches ask peers: what follows is there before anybody is connected.
  const purges = new CellPurges(log);
  const later: { cache?: VideoCache; live?: LiveCache } = {};
  const peers = await openPeers(config, {
    ...{ log, metrics, policies, origin },
    tiers: disk.tier === undefined ? [ram] : [ram, disk.tier],
    store: disk.tier,
    purgeGivenBy: (peerId) => later.cache?.purgeGivenBy(peerId) ?? 0,
    missedBy: (lastLinkMs) => purges.remembered(lastLinkMs),
    onAnnounced: (peer, topic, message) => {
      const { cache, live } = later;
      if (cache === undefined || live === undefined) return;
      if (topic === liveTopic) live.announced(peer, message);
      else if (topic === purgeTopic) void purges.told(message, { cache: live, peer });
      else if (topic === missedTopic) void purges.missed(message, { cache, peer });
      else if (topic === invalidatedTopic) void invalidateAsTold(message, { cache, peer, log });
    },
  });
  const invalidations = peers.plane && new CellInvalidations(peers.plane, log);
  const cache = new VideoCache({
    ...{ ram, policies, entriesMax },
    onServed: (source, bytes) => metrics.servedBytes[source].add(bytes),
    disk: disk.tier && { tier: disk.tier, entries: disk.tier },
    suppliers: peers.plane === undefined ? [origin] : [peers.plane.supplier, origin],
    now: Date.now,
    onKept: (piece) => peers.held?.kept(piece),
    onBackgroundError: (error) => log.warn({ reason: String(error) }, 'a validation in the background failed'),
    ...(lender && { onChanged: lender.changed }),
    onInvalidated: (targets) => invalidations?.tell(targets),
  });
  const live = openLive(config, { cache, peers, around });
  later.cache = cache;
  later.live = live;
  peers.source.cache = live;
  return { live, cache, ram, arena, disk, peers, purges, origin, lender };
}

function openRam(
  { ramBytesMax: bytesMax }: Config,
  { arena, lender, metrics }: Pick<Caches, 'arena' | 'lender'> & { metrics: Metrics },
): RamTier {
  return new RamTier({
    ...{ arena, bytesMax },
    spareShare: spareShare(bytesMax),
    onEvicted: (bytes) => metrics.evictedBytes.ram.add(bytes),
    ...(lender && { onDropped: lender.dropped }),
  });
}

function openLive(
  config: Config,
  { cache, peers, around }: Pick<Caches, 'cache' | 'peers'> & { around: Surroundings },
): LiveCache {
  const { maps, metrics, log, ready } = around;
  return new LiveCache({
    ...{ inner: cache, keyOf: cacheKey, log },
    onServed: (source, bytes) => metrics.servedBytes[source].add(bytes),
    namedBy: (which) => namedBy(which, maps.policies),
    maps: () => maps.maps,
    onPlaylistRequest: (side) => metrics.playlistRequests[side].add(1),
    onTold: (lagMs) => metrics.told.observe(lagMs / 1000),
    ...(peers.plane && { voice: voiceOf(peers.plane) }),
    viewing: viewingOf(config, { metrics, peerId: peers.peerId, ready }),
  });
}

function voiceOf(plane: NonNullable<Peers['plane']>): CellVoice {
  return { ownerOf: (key) => plane.ownerOf(key), announce: (message) => plane.announce(liveTopic, message) };
}

/** Metadata may take about an eighth of what the pieces may, within bounds. */
function entriesMaxFor(ramBytesMax: number): number {
  return Math.min(100_000, Math.max(4_096, Math.floor(ramBytesMax / 16_384)));
}
