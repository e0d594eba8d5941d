import type { Config } from '../config.ts';
import type { LiveCacheOptions } from '../live/live-cache.ts';
import type { Metrics } from '../metrics.ts';

const mebibyte = 1024 * 1024;
const prefetchBytesMax = 64 * mebibyte;
const prefetchRequestsMax = 4;

/** What the mirror may fetch ahead of viewers, where it counts what came of it, and what it says of this node. */
export function viewingOf(
  config: Config,
  about: { readonly metrics: Metrics; readonly peerId: string; readonly ready: () => boolean },
): NonNullable<LiveCacheOptions['viewing']> {
  const { prefetchRequests, prefetchBytes, players } = about.metrics.viewing;
  const room = Math.max(config.ramBytesMax, config.diskBytesMax) / 8;
  const name = `eddy-${about.peerId.slice(-8)}`;
  return {
    limits: { bytesMax: Math.min(prefetchBytesMax, room), requestsMax: prefetchRequestsMax },
    counts: {
      prefetch: {
        requests: (outcome) => prefetchRequests[outcome].add(1),
        bytes: (outcome, bytes) => prefetchBytes[outcome].add(bytes),
      },
      player: (data, stream) => players.add(data, stream),
    },
    says: () => ({ name, duress: !about.ready() }),
  };
}
