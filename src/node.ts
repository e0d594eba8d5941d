import { settingsForRestart } from './config/restart.ts';
import type { Config } from './config.ts';
import { type Admin, startAdmin } from './http/admin/admin.ts';
import type { ProcessLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { type Caches, openCaches } from './node/caches.ts';
import { reloadCredential } from './node/cell/peers.ts';
import { NodeMaps } from './node/maps.ts';
import { type NodeState, type ReportedNode, Reports } from './node/reports.ts';
import { openViewers } from './node/viewers/viewers.ts';
import { version } from './version.ts';

/** What a node tells once it serves. */
interface ReadyNode {
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
  /** Stops accepting, lets running responses to viewers and peers finish within the drain deadline, and closes the store. */
  drain(): Promise<void>;
  /** Takes over maps, their lifetimes, and the cell's credential; what else differs needs a restart and is only logged. */
  reload(config: Config): Promise<void>;
}

/**
 * The one place where the parts of a node meet. They start in this order:
 *
 * 1. metrics;
 * 2. maps (`node/maps.ts`): what comes from which origins, and the sample origin where none is configured;
 * 3. caches (`node/caches.ts`): RAM, disk, origin, peers, cache, live mirror, each given those before it;
 * 4. viewers (`node/viewers/viewers.ts`): their listeners, in this thread or in others (`viewer-threads.ts`);
 * 5. what the node says of itself (`node/reports.ts`), and the admin port;
 * 6. the playlists that the configuration names are followed: the node is ready.
 *
 * They stop in this: no new viewers; the mirror, which lets go of whom it holds; viewers and peers as they finish, at
 * most for the drain deadline; listeners; peers; origin, admin port and maps; the disk last of all.
 *
 * Rejects when it cannot listen.
 */
export async function startNode(config: Config, { log }: { log: ProcessLog }): Promise<RunningNode> {
  const startedMs = Date.now();
  let state: NodeState = 'starting';
  const metrics = createMetrics({ version });
  const maps = await NodeMaps.open(config, { status: () => reports.status() });
  const ready = () => reports.readiness().ready;
  const caches = await openCaches(config, { maps, metrics, log, ready });
  const { live, cache, ram, lender, peers } = caches;
  const policies = () => maps.policies;
  const onUsed = (key: string): void => live.used(key);
  const given = { cache: live, store: cache, ram, arena: caches.arena, lender, onUsed };
  const viewers = await openViewers({ config, ...given, log, metrics, policies });
  const node: ReportedNode = { config, metrics, caches, viewers, startedMs, state: () => state };
  const reports = new Reports(node);
  metrics.readings = () => reports.readings();
  const admin = await openAdmin(node, { reports, log });
  live.follow(policies);
  state = 'ready';
  const sample = maps.samplePage(viewers.urls[0]);
  return {
    ready: {
      http: viewers.urls,
      admin: admin.url,
      peerId: peers.peerId,
      peers: peers.plane?.addresses ?? [],
      ...(sample !== undefined && { sample }),
    },
    drain: async () => {
      state = 'draining';
      viewers.stopAccepting();
      const { drainMs } = config.limits;
      const peersDrained = peers.plane?.drain(drainMs);
      live.close();
      await Promise.all([viewers.drain(drainMs), peersDrained]);
      await viewers.close();
      await close(caches, { before: [admin, maps] });
    },
    reload: async (next) => {
      maps.replace(next);
      caches.origin.replace(maps.maps);
      viewers.reload({ policies: maps.policies, logLevel: next.logLevel });
      log.setLevel(next.logLevel);
      await reloadCredential(next, { plane: peers.plane, log });
      const settings = settingsForRestart(config, next);
      if (settings.length > 0) log.warn({ settings }, 'these settings have changed, and take a restart to count');
      log.info({ maps: maps.maps.map(({ name }) => name) }, 'configuration reloaded');
    },
  };
}

function openAdmin(node: ReportedNode, { reports, log }: { reports: Reports; log: ProcessLog }): Promise<Admin> {
  const { config, metrics, viewers } = node;
  const { live, lender, peers, purges } = node.caches;
  return startAdmin({
    listen: config.admin.listen,
    token: config.admin.token,
    metrics: { ...metrics, text: () => viewers.refresh().then(metrics.text) },
    status: () => viewers.refresh().then(() => reports.status()),
    peers: () => ({ peers: peers.plane?.peers() ?? [] }),
    streams: () => ({ streams: live.streams() }),
    readiness: () => reports.readiness(),
    purge: async (which, signal) => {
      const { plane: voice } = peers;
      const [purged] = await Promise.all([live.purge(which, signal), voice && purges.tell(which, { voice, signal })]);
      await lender?.settled();
      return purged;
    },
    log,
  });
}

/** Peers are told nothing more before what they are given from is closed; the store is last. */
async function close(
  { peers, origin, disk }: Caches,
  { before }: { before: readonly { close(): Promise<void> }[] },
): Promise<void> {
  peers.held?.close();
  await peers.plane?.close();
  await Promise.all([origin, ...before].map((part) => part.close()));
  await disk.tier?.close();
}
