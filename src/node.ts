import { join } from 'node:path';
import { VideoCache } from './cache/cache.ts';
import { cacheKey } from './cache/key.ts';
import type { Config } from './config.ts';
import { type MapConfig, mapWithDefaults, policyOf } from './config/maps.ts';
import { DiskTier } from './disk/tier.ts';
import { EddyError } from './errors.ts';
import { startAdmin } from './http/admin.ts';
import type { CellVoice } from './live/cell-voice.ts';
import { LiveCache } from './live/live-cache.ts';
import type { Log, ProcessLog } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { openPeers, type Peers } from './node/peers.ts';
import { ReplaceableOrigin } from './node/replaceable-origin.ts';
import { statusOf } from './node/status.ts';
import { viewingOf } from './node/viewing.ts';
import { createLender, type NodeViewers, openViewers } from './node/viewers.ts';
import { RamTier } from './ram/tier.ts';
import { startSampleOrigin } from './sample/origin.ts';
import { version } from './version.ts';

/** What a node tells once it serves. */
export interface ReadyNode {
  readonly http: readonly string[];
  readonly admin: string;
  readonly peerId: string;
  /** As peers can dial it; none without a cell. */
  readonly peers: readonly string[];
  /** Page that plays the built-in sample through the cache, while that is served. */
  readonly sample?: string;
}

export interface RunningNode {
  readonly ready: ReadyNode;
  /** Stops accepting, lets running responses finish within the drain deadline, and closes the store. */
  drain(): Promise<void>;
  /** Takes over maps and their lifetimes; what else differs needs a restart and is only logged. */
  reload(config: Config): Promise<void>;
}

type NodeState = 'starting' | 'ready' | 'draining';

/** The one place where the parts of a node meet. Rejects when it cannot listen. */
export async function startNode(config: Config, { log }: { log: ProcessLog }): Promise<RunningNode> {
  const startedMs = Date.now();
  const metrics = createMetrics({ version });
  let state: NodeState = 'starting';
  const sample = config.maps.length > 0 ? undefined : await startSampleOrigin({ status: () => status() });
  const maps = sample === undefined ? config.maps : [sampleMap(sample.url)];
  const entriesMax = entriesMaxFor(config.ramBytesMax);
  const lender = createLender(config, { entriesMax });
  const ram = new RamTier({
    bytesMax: config.ramBytesMax,
    onEvicted: (bytes) => metrics.evictedBytes.ram.add(bytes),
    ...(lender && { onDropped: lender.dropped }),
  });
  const disk = await openDisk(config, { log, metrics });
  const origin = new ReplaceableOrigin(maps, { log, metrics });
  let policies = maps.map(policyOf);
  let liveMaps = maps;
  const mirror: { live?: LiveCache } = {};
  const peers = await openPeers(config, {
    ...{ log, metrics, policies: () => policies, origin },
    tiers: disk.tier === undefined ? [ram] : [ram, disk.tier],
    store: disk.tier,
    purgeGivenBy: (peerId) => cache.purgeGivenBy(peerId),
    onAnnounced: (peerId, topic, message) => {
      if (topic === liveTopic) mirror.live?.announced(peerId, message);
    },
  });
  const cache = new VideoCache({
    ram,
    disk: disk.tier && { tier: disk.tier, entries: disk.tier },
    suppliers: peers.plane === undefined ? [origin] : [peers.plane.supplier, origin],
    policies: () => policies,
    entriesMax,
    now: Date.now,
    onServed: (source, bytes) => metrics.servedBytes[source].add(bytes),
    onKept: (piece) => peers.held?.kept(piece),
    onBackgroundError: (error) => log.warn({ reason: String(error) }, 'a validation in the background failed'),
    ...(lender && { onChanged: lender.changed }),
  });
  const live = new LiveCache({
    inner: cache,
    keyOf: cacheKey,
    maps: () => liveMaps,
    onPlaylistRequest: (side) => metrics.playlistRequests[side].add(1),
    onServed: (source, bytes) => metrics.servedBytes[source].add(bytes),
    log,
    ...(peers.plane && { voice: voiceOf(peers.plane) }),
    viewing: viewingOf(config, { metrics, peerId: peers.peerId, ready: () => readiness().ready }),
  });

  mirror.live = live;
  peers.source.cache = live;

  const readiness = (): { ready: boolean; reasons: string[] } => {
    const reasons = state === 'ready' ? [...viewers.reasons()] : [`the node is ${state}`];
    const health = disk.health();
    if (health.state !== 'ok') reasons.push(`disk is ${health.state}: ${health.reason ?? 'unknown reason'}`);
    return { ready: reasons.length === 0, reasons };
  };
  const stores = () => ({ ram: ram.stats(), disk: disk.tier?.stats() ?? { bytes: 0, bytesMax: 0, pieces: 0 } });
  const status = () =>
    statusOf({ metrics, stores: stores(), startedMs, ready: readiness().ready, origin, config, peerId: peers.peerId });

  const viewers = await openViewers({
    ...{ config, cache: live, store: cache, ram, lender, log, metrics },
    policies: () => policies,
  });
  const admin = await startAdmin({
    listen: config.admin.listen,
    token: config.admin.token,
    metrics: { ...metrics, text: () => viewers.refresh().then(metrics.text) },
    status: () => viewers.refresh().then(status),
    peers: () => ({ peers: peers.plane?.peers() ?? [] }),
    streams: () => ({ streams: live.streams() }),
    readiness,
    purge: async (which, signal) => {
      const purged = await live.purge(which, signal);
      await lender?.settled();
      return purged;
    },
    log,
  });
  metrics.readings = () => ({
    stores: stores(),
    diskWritable: disk.health().state === 'ok',
    connections: viewers.connections(),
    ready: readiness().ready,
    peers: peers.plane?.peers() ?? [],
    streams: live.streams(),
    upstreams: origin.health().map(({ map, url, state: upstream }) => ({ map, url, up: upstream === 'up' })),
  });
  live.follow(() => policies);
  state = 'ready';

  return {
    ready: {
      http: viewers.urls,
      admin: admin.url,
      peerId: peers.peerId,
      peers: peers.plane?.addresses ?? [],
      ...(sample && { sample: pageUrl(viewers) }),
    },
    drain: async () => {
      state = 'draining';
      viewers.stopAccepting();
      live.close();
      await viewers.drain(config.limits.drainMs);
      await viewers.close();
      peers.held?.close();
      await peers.plane?.close();
      await Promise.all([origin.close(), admin.close(), sample?.close()]);
      await disk.tier?.close();
    },
    reload: async (next) => {
      const nextMaps = sample === undefined ? next.maps : maps;
      policies = nextMaps.map(policyOf);
      liveMaps = nextMaps;
      origin.replace(nextMaps);
      viewers.reload({ policies, logLevel: next.logLevel });
      log.setLevel(next.logLevel);
      log.info({ maps: nextMaps.map(({ name }) => name) }, 'configuration reloaded');
    },
  };
}

/** What the live mirror says to the cell is under this topic. */
const liveTopic = 'live';

function voiceOf(plane: NonNullable<Peers['plane']>): CellVoice {
  return { ownerOf: (key) => plane.ownerOf(key), announce: (message) => plane.announce(liveTopic, message) };
}

/** Metadata may take about an eighth of what the pieces may, within bounds. */
function entriesMaxFor(ramBytesMax: number): number {
  return Math.min(100_000, Math.max(4_096, Math.floor(ramBytesMax / 16_384)));
}

interface Disk {
  readonly tier: DiskTier | undefined;
  health(): { readonly state: 'ok' | 'full' | 'failed'; readonly reason?: string };
}

/** A disk that cannot be used is no reason not to serve: the node runs from RAM and origin, and says so. */
async function openDisk(config: Config, { log, metrics }: { log: Log; metrics: Metrics }): Promise<Disk> {
  if (config.diskBytesMax === 0) return { tier: undefined, health: () => ({ state: 'ok' }) };
  try {
    const tier = await DiskTier.open({
      directory: join(config.dataDir, 'store'),
      bytesMax: config.diskBytesMax,
      log,
      onEvicted: (bytes) => metrics.evictedBytes.disk.add(bytes),
    });
    return { tier, health: () => tier.health() };
  } catch (error) {
    const state = error instanceof EddyError && error.code === 'disk-full' ? 'full' : 'failed';
    const reason = error instanceof Error ? error.message : String(error);
    log.error({ directory: config.dataDir, reason }, 'the disk tier is off: serving from RAM and origin');
    return { tier: undefined, health: () => ({ state, reason }) };
  }
}

/** The sample is meant to be played from anywhere, so every site may read it. */
function sampleMap(url: string): MapConfig {
  return mapWithDefaults({ name: 'sample', prefix: '/', origins: [url], cors: true });
}

function pageUrl(viewers: NodeViewers): string {
  const url = new URL(viewers.urls[0] ?? 'http://localhost');
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = 'localhost';
  return url.href;
}
