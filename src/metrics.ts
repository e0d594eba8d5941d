import { collectDefaultMetrics, Registry } from 'prom-client';
import { Declarer } from './metrics/declarer.ts';
import { releaseBucketsSeconds } from './metrics/histogram.ts';
import { declarePlayers, type PlayerMetrics } from './metrics/players.ts';
import { RequestCounts } from './metrics/requests.ts';
import { type Row, rowsOf, type Tallies, Tally, tallies } from './metrics/tally.ts';

const directions = ['in', 'out'] as const;
const originOutcomes = ['answered', 'unavailable', 'refused', 'timeout', 'broken', 'aborted'] as const;
const peerOutcomes = ['have', 'pending', 'busy', 'miss', 'denied', 'timeout', 'broken', 'corrupt', 'aborted'] as const;

/** The longest that a timer can wait: three weeks. */
const timerMsMax = 2 ** 31 - 1;

const peerStates = ['up', 'suspect', 'down', 'quarantined'] as const;

type PeerState = (typeof peerStates)[number];
type PeerDirection = (typeof directions)[number];
type PeerOutcome = (typeof peerOutcomes)[number];
type OriginOutcome = (typeof originOutcomes)[number];

/** What is read each time metrics are asked for. */
interface Readings {
  readonly stores: { readonly ram: StoreReading; readonly disk: StoreReading };
  /** Whether the disk tier takes writes. */
  readonly diskWritable: boolean;
  readonly connections: number;
  readonly ready: boolean;
  readonly peers: readonly { readonly state: PeerState }[];
  /** Live playlists that are followed now. */
  readonly streams: readonly { readonly kind: string; readonly waiting: number }[];
  readonly upstreams: readonly { readonly map: string; readonly url: string; readonly up: boolean }[];
}

interface StoreReading {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly pieces: number;
}

/** Every metric of the node. What counts events are tallies; what has a present value comes from `readings`. */
export interface Metrics {
  /** Set by the composition root once there is something to read; called once for each metric and scrape. */
  readings: (() => Readings) | undefined;
  readonly requests: RequestCounts;
  readonly servedBytes: Tallies<'ram' | 'disk' | 'peer' | 'origin'>;
  readonly originRequests: Tallies<OriginOutcome>;
  readonly originBytes: Tally;
  readonly peerBytes: Tallies<PeerDirection>;
  readonly peerRequests: Readonly<Record<PeerDirection, Tallies<PeerOutcome>>>;
  /** Times that a peer was found to give wrong bytes. */
  readonly peerCorruptions: Tally;
  readonly evictedBytes: Tallies<'ram' | 'disk'>;
  readonly playlistRequests: Tallies<'viewer' | 'upstream'>;
  /** How long after the owner of a playlist this node learns of its versions, in seconds. */
  readonly told: { observe(seconds: number): void };
  readonly purges: Tallies<'url' | 'prefix' | 'tag' | 'all'>;
  readonly purgedResponses: Tally;
  readonly viewing: PlayerMetrics;
  /** Media type of `text()`. */
  readonly contentType: string;
  /** All metrics in Prometheus' exposition format. */
  text(): Promise<string>;
}

/** Declares every metric, once, in a registry of its own. `version` is that of this program. */
export function createMetrics({ version }: { readonly version: string }): Metrics {
  const registry = new Registry();
  collectProcess(registry);
  const declare = new Declarer(registry);
  const metrics: Metrics = {
    readings: undefined,
    requests: new RequestCounts({
      duration: declare.histogram('eddy_client_request_duration_seconds', 'From a request to the end of its response'),
      firstByte: declare.histogram('eddy_client_first_byte_seconds', 'From a request to the start of its response'),
      release: declare.histogram(
        'eddy_live_release_seconds',
        'From when the owner of a playlist learnt of a version, by its clock, to the end of the response of a request that was held for it',
        releaseBucketsSeconds,
      ),
    }),
    told: declare.histogram(
      'eddy_live_told_seconds',
      'From when the owner of a playlist learnt of a version, by its clock, to when this node was told',
      releaseBucketsSeconds,
    ),
    servedBytes: tallies(['ram', 'disk', 'peer', 'origin']),
    originRequests: tallies(originOutcomes),
    originBytes: new Tally(),
    peerBytes: tallies(directions),
    peerRequests: { in: tallies(peerOutcomes), out: tallies(peerOutcomes) },
    peerCorruptions: new Tally(),
    evictedBytes: tallies(['ram', 'disk']),
    playlistRequests: tallies(['viewer', 'upstream']),
    purges: tallies(['url', 'prefix', 'tag', 'all']),
    purgedResponses: new Tally(),
    viewing: declarePlayers(declare),
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
  declareRequests(declare, metrics);
  declareSources(declare, metrics);
  declarePeers(declare, metrics);
  declareStores(declare, metrics);
  declareState(declare, metrics);
  const about: Row = [{ version, node: process.version }, 1];
  declare.gauge('eddy_build_info', 'Always 1: its labels say what is running', {
    labels: ['version', 'node'],
    rows: () => [about],
  });
  return metrics;
}

/** Of every program on Node; not how late a timer is that looks a hundred times a second: to look was half of a node at rest. */
function collectProcess(registry: Registry): void {
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: timerMsMax });
  for (const what of ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'])
    registry.removeSingleMetric(`nodejs_eventloop_lag_${what}_seconds`);
}

function declareRequests(declare: Declarer, { requests }: Metrics): void {
  declare.counter(
    'eddy_client_requests_total',
    'Requests of viewers that ended; fwd is why the cache went on (RFC 9211)',
    {
      labels: ['method', 'status', 'fwd'],
      rows: () => requests.rows(),
    },
  );
  declare.counter('eddy_client_body_bytes_total', 'Body bytes given to viewers', {
    rows: () => [[{}, requests.totals().bytes]],
  });
  declare.gauge('eddy_client_requests_in_flight', 'Requests of viewers that have not ended', {
    rows: () => [[{}, requests.totals().inFlight]],
  });
}

function declareSources(declare: Declarer, metrics: Metrics): void {
  declare.counter('eddy_served_body_bytes_total', 'Body bytes given to viewers, by where they came from', {
    labels: ['tier'],
    rows: () => rowsOf('tier', metrics.servedBytes),
  });
  declare.counter('eddy_origin_requests_total', 'Requests to origins, retries and resumptions included', {
    labels: ['outcome'],
    rows: () => rowsOf('outcome', metrics.originRequests),
  });
  declare.counter('eddy_origin_body_bytes_total', 'Body bytes received from origins', {
    rows: () => [[{}, metrics.originBytes.value]],
  });
  declare.counter('eddy_peer_body_bytes_total', 'Body bytes received from peers (in) and given to them (out)', {
    labels: ['direction'],
    rows: () => rowsOf('direction', metrics.peerBytes),
  });
  declare.counter('eddy_peer_requests_total', 'Requests by peers (in) and to them (out)', {
    labels: ['direction', 'outcome'],
    rows: () =>
      directions.flatMap((direction) =>
        rowsOf('outcome', metrics.peerRequests[direction]).map(
          ([labels, value]): Row => [{ direction, ...labels }, value],
        ),
      ),
  });
}

function declarePeers(declare: Declarer, metrics: Metrics): void {
  declare.counter('eddy_peer_corruptions_total', 'Times that a peer was found to give wrong bytes', {
    rows: () => [[{}, metrics.peerCorruptions.value]],
  });
  declare.gauge('eddy_peers', 'Other members of the cell that are known, by their state', {
    labels: ['state'],
    rows: () => {
      const peers = metrics.readings?.().peers ?? [];
      return peerStates.map((state): Row => [{ state }, peers.filter((peer) => peer.state === state).length]);
    },
  });
}

function declareStores(declare: Declarer, metrics: Metrics): void {
  const tiers = ['ram', 'disk'] as const;
  const eachTier = (of: (store: StoreReading) => number) => (): Row[] => {
    const stores = metrics.readings?.().stores;
    return stores === undefined ? [] : tiers.map((tier) => [{ tier }, of(stores[tier])]);
  };
  const labels = ['tier'];
  declare.gauge('eddy_store_bytes', 'Bytes a tier uses', { labels, rows: eachTier(({ bytes }) => bytes) });
  declare.gauge('eddy_store_bytes_max', 'Bytes a tier may use', { labels, rows: eachTier(({ bytesMax }) => bytesMax) });
  declare.gauge('eddy_store_pieces', 'Pieces a tier holds', { labels, rows: eachTier(({ pieces }) => pieces) });
  declare.counter('eddy_evicted_bytes_total', 'Bytes of pieces that left a tier to make room', {
    labels,
    rows: () => rowsOf('tier', metrics.evictedBytes),
  });
  declare.counter('eddy_purges_total', 'Purges, by what they named', {
    labels: ['kind'],
    rows: () => rowsOf('kind', metrics.purges),
  });
  declare.counter('eddy_purged_responses_total', 'Stored responses dropped by purges', {
    rows: () => [[{}, metrics.purgedResponses.value]],
  });
}

function declareState(declare: Declarer, metrics: Metrics): void {
  const reading = (of: (readings: Readings) => number) => (): Row[] => {
    const readings = metrics.readings?.();
    return readings === undefined ? [] : [[{}, of(readings)]];
  };
  declare.gauge('eddy_disk_writable', '1 while the disk tier takes writes, 0 while it is full or failing', {
    rows: reading(({ diskWritable }) => Number(diskWritable)),
  });
  declare.gauge('eddy_client_connections', 'Open connections of viewers', {
    rows: reading(({ connections }) => connections),
  });
  declare.gauge('eddy_live_playlists', 'Live playlists that are followed', {
    labels: ['kind'],
    rows: () => countBy(metrics.readings?.().streams ?? []),
  });
  declare.gauge('eddy_live_held_requests', 'Playlist requests that wait for a version to come', {
    rows: reading(({ streams }) => streams.reduce((sum, { waiting }) => sum + waiting, 0)),
  });
  declare.counter('eddy_live_playlist_requests_total', 'Requests for followed playlists, of viewers and upstream', {
    labels: ['side'],
    rows: () => rowsOf('side', metrics.playlistRequests),
  });
  let before = performance.eventLoopUtilization();
  declare.gauge(
    'eddy_event_loop_utilization',
    'Share of the time since the last scrape in which the main thread was busy',
    {
      rows: () => {
        const now = performance.eventLoopUtilization();
        const { utilization } = performance.eventLoopUtilization(now, before);
        before = now;
        return [[{}, utilization]];
      },
    },
  );
  declare.gauge('eddy_ready', '1 while /readyz answers 200', { rows: reading(({ ready }) => Number(ready)) });
  declare.gauge('eddy_origin_up', '1 while that origin is taken to be up', {
    labels: ['map', 'url'],
    rows: () => (metrics.readings?.().upstreams ?? []).map(({ map, url, up }): Row => [{ map, url }, Number(up)]),
  });
}

function countBy(streams: Readings['streams']): Row[] {
  const count = (kind: string): Row => [{ kind }, streams.filter((each) => each.kind === kind).length];
  return ['hls', 'll-hls', 'dash'].map(count);
}
