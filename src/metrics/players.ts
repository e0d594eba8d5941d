import type { Declarer } from './declarer.ts';
import { type Row, rowsOf, type Tallies, type Tally, tallies } from './tally.ts';

const prefetchOutcomes = ['useful', 'wasted', 'dropped', 'present', 'failed'] as const;
const formats = ['dash', 'hls', 'smooth', 'other', 'unknown'] as const;
const types = ['vod', 'live', 'low-latency', 'unknown'] as const;

type PrefetchOutcome = (typeof prefetchOutcomes)[number];

/** What a player said of itself with one request (CMCD). */
interface PlayerReport {
  readonly format: Exclude<(typeof formats)[number], 'unknown'> | undefined;
  readonly streamType: Exclude<(typeof types)[number], 'unknown'> | undefined;
  readonly starved: boolean;
  readonly startup: boolean;
  readonly bufferMs: number | undefined;
  readonly throughputKbps: number | undefined;
}

interface StreamCounts {
  readonly labels: { readonly stream: string; readonly format: string; readonly type: string };
  readonly requests: Tally;
  readonly startups: Tally;
  readonly starved: Tally;
  readonly bufferReports: Tally;
  readonly bufferSeconds: Tally;
  readonly throughputReports: Tally;
  readonly throughputMegabits: Tally;
}

/** Streams that have a label of their own; those that come later are `other`. */
const streamsMax = 64;
const labelMax = 200;

/** What players say, by stream, under labels whose values are bounded whatever they send. */
class PlayerReports {
  readonly #streams = new Set<string>();
  readonly #counts = new Map<string, StreamCounts>();

  /** `stream`: the target of a manifest without its query; undefined where it is not known. */
  add(report: PlayerReport, stream: string | undefined): void {
    const counts = this.#of(report, stream);
    counts.requests.add(1);
    if (report.startup) counts.startups.add(1);
    if (report.starved) counts.starved.add(1);
    if (report.bufferMs !== undefined) {
      counts.bufferReports.add(1);
      counts.bufferSeconds.add(report.bufferMs / 1_000);
    }
    if (report.throughputKbps !== undefined) {
      counts.throughputReports.add(1);
      counts.throughputMegabits.add(report.throughputKbps / 1_000);
    }
  }

  rows(of: (counts: StreamCounts) => Tally): Row[] {
    return [...this.#counts.values()].map((counts): Row => [counts.labels, of(counts).value]);
  }

  #of(report: PlayerReport, named = 'unknown'): StreamCounts {
    const [format, type] = [report.format ?? 'unknown', report.streamType ?? 'unknown'];
    const short = named.slice(0, labelMax);
    const stream = this.#streams.has(short) || this.#streams.size < streamsMax ? short : 'other';
    if (stream !== 'other') this.#streams.add(stream);
    return this.#counts.getOrInsertComputed(`${format} ${type} ${stream}`, () => ({
      labels: { stream, format, type },
      ...tallies(['requests', 'startups', 'starved', 'bufferReports', 'bufferSeconds']),
      ...tallies(['throughputReports', 'throughputMegabits']),
    }));
  }
}

/** What was fetched ahead of viewers, and what they say of themselves. */
export interface PlayerMetrics {
  readonly prefetchRequests: Tallies<PrefetchOutcome>;
  readonly prefetchBytes: Tallies<'useful' | 'wasted'>;
  readonly players: PlayerReports;
}

export function declarePlayers(declare: Declarer): PlayerMetrics {
  const metrics = {
    prefetchRequests: tallies(prefetchOutcomes),
    prefetchBytes: tallies(['useful', 'wasted']),
    players: new PlayerReports(),
  };
  declare.counter('eddy_prefetch_requests_total', 'Fetches ahead of viewers, by what came of them', {
    labels: ['outcome'],
    rows: () => rowsOf('outcome', metrics.prefetchRequests),
  });
  declare.counter('eddy_prefetch_body_bytes_total', 'Bytes fetched ahead of viewers: asked for later, or not', {
    labels: ['outcome'],
    rows: () => rowsOf('outcome', metrics.prefetchBytes),
  });
  const { players } = metrics;
  const ofStream = (name: string, help: string, of: Parameters<PlayerReports['rows']>[0]): void =>
    declare.counter(name, help, { labels: ['stream', 'format', 'type'], rows: () => players.rows(of) });
  ofStream('eddy_player_requests_total', 'Requests in which a player reports (CMCD)', ({ requests }) => requests);
  ofStream('eddy_player_startups_total', 'Those of players that start, seek or recover (su)', (each) => each.startups);
  ofStream('eddy_player_starved_total', 'Those of players whose buffer ran empty (bs)', ({ starved }) => starved);
  ofStream('eddy_player_buffer_reports_total', 'Reports of a buffer (bl)', ({ bufferReports }) => bufferReports);
  ofStream('eddy_player_buffer_seconds_total', 'Sum of reported buffers', ({ bufferSeconds }) => bufferSeconds);
  ofStream('eddy_player_throughput_reports_total', 'Reports of a throughput (mtp)', (each) => each.throughputReports);
  ofStream(
    'eddy_player_throughput_megabits_total',
    'Sum of reported throughputs in Mbit/s',
    (each) => each.throughputMegabits,
  );
  return metrics;
}
