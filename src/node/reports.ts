import type { Config } from '../config.ts';
import type { Readiness } from '../http/admin/admin.ts';
import type { Metrics } from '../metrics.ts';
import { version } from '../version.ts';
import type { Caches } from './caches.ts';
import type { NodeViewers } from './viewers/viewers.ts';

export type NodeState = 'starting' | 'ready' | 'draining';

export interface ReportedNode {
  readonly config: Config;
  readonly metrics: Metrics;
  readonly caches: Caches;
  readonly viewers: NodeViewers;
  readonly startedMs: number;
  readonly state: () => NodeState;
}

/** What a node says of itself: whether it is ready, its status, and the readings of its gauges. */
export class Reports {
  readonly #node: ReportedNode;

  constructor(node: ReportedNode) {
    this.#node = node;
  }

  readiness(): Readiness {
    const { state, caches, viewers } = this.#node;
    const reasons = state() === 'ready' ? [...viewers.reasons()] : [`the node is ${state()}`];
    const health = caches.disk.health();
    if (health.state !== 'ok') reasons.push(`disk is ${health.state}: ${health.reason ?? 'unknown reason'}`);
    return { ready: reasons.length === 0, reasons };
  }

  /** What `/api/status` and the sample's page show. Bytes; `offload` is the share that did not come from the origin. */
  status(): object {
    const { config, metrics, startedMs, caches } = this.#node;
    const { origin, peers } = caches;
    const requests = metrics.requests.totals();
    const { ram, disk, peer, origin: brought } = metrics.servedBytes;
    const bytes = {
      // Requests count when they end; what is being sent is known by where it comes from.
      client: Math.max(requests.bytes, ram.value + disk.value + peer.value + brought.value),
      ram: ram.value,
      disk: disk.value,
      peer: peer.value,
      origin: metrics.originBytes.value,
    };
    return {
      version,
      peerId: peers.peerId,
      cell: config.cell?.name ?? null,
      uptimeSeconds: Math.floor((Date.now() - startedMs) / 1000),
      ready: this.readiness().ready,
      tiers: this.#stores(),
      bytes,
      offload: bytes.client === 0 ? 0 : Math.min(1, Math.max(0, 1 - bytes.origin / bytes.client)),
      requests,
      upstreams: origin.health(),
    };
  }

  readings(): ReturnType<NonNullable<Metrics['readings']>> {
    const { caches, viewers } = this.#node;
    return {
      stores: this.#stores(),
      diskWritable: caches.disk.health().state === 'ok',
      connections: viewers.connections(),
      ready: this.readiness().ready,
      peers: caches.peers.plane?.peers() ?? [],
      streams: caches.live.streams(),
      upstreams: caches.origin.health().map(({ map, url, state }) => ({ map, url, up: state === 'up' })),
    };
  }

  #stores(): Record<'ram' | 'disk', { bytes: number; bytesMax: number; pieces: number }> {
    const { ram, disk } = this.#node.caches;
    return { ram: ram.stats(), disk: disk.tier?.stats() ?? { bytes: 0, bytesMax: 0, pieces: 0 } };
  }
}
