import type { Config } from '../config.ts';
import type { Metrics } from '../metrics.ts';
import { version } from '../version.ts';
import type { ReplaceableOrigin } from './replaceable-origin.ts';

/** What `/api/status` and the sample's page show. Bytes; `offload` is the share that did not come from the origin. */
export function statusOf(node: {
  metrics: Metrics;
  stores: Readonly<Record<'ram' | 'disk', { bytes: number; bytesMax: number; pieces: number }>>;
  startedMs: number;
  ready: boolean;
  origin: ReplaceableOrigin;
  config: Config;
  peerId: string;
}): object {
  const { metrics, stores, startedMs, ready, origin, config, peerId } = node;
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
  const offload = bytes.client === 0 ? 0 : Math.min(1, Math.max(0, 1 - bytes.origin / bytes.client));
  return {
    version,
    peerId,
    cell: config.cell?.name ?? null,
    uptimeSeconds: Math.floor((Date.now() - startedMs) / 1000),
    ready,
    tiers: stores,
    bytes,
    offload,
    requests,
    upstreams: origin.health(),
  };
}
