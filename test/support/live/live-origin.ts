import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { type Clock, wallClock } from './clock.ts';
import { DashSite } from './dash-site.ts';
import { HlsSite, TransportStreamSite } from './hls-site.ts';
import { LiveServer } from './live-server.ts';
import { LowLatencySite } from './ll-hls-site.ts';
import { type LoopingTrack, readTrack } from './looping-track.ts';
import { type Grid, Rendition } from './rendition.ts';
import type { Site } from './site.ts';

export interface ChannelOptions {
  readonly clock?: Clock;
  /** Epoch milliseconds at which it began; default: long enough ago that all playlists are full. */
  readonly epochMs?: number;
  /** Media sequence number of the first segment. */
  readonly firstSequence?: number;
  readonly partMs?: number;
}

/** One live channel in every form, each a site: the same media at the same time. */
export interface Channel {
  readonly video: Rendition;
  readonly audio: Rendition;
  readonly lowLatency: LowLatencySite;
  readonly byteRanges: LowLatencySite;
  /** With date ranges that may be skipped, and keys; the media are in the clear. */
  readonly guarded: LowLatencySite;
  readonly dash: DashSite;
  /** By the folder of an origin. */
  readonly sites: Readonly<Record<'ll' | 'll-ranges' | 'll-guarded' | 'hls' | 'ts' | 'dash', Site>>;
}

export interface LiveOrigin {
  readonly server: LiveServer;
  readonly channel: Channel;
  /** Base URL without a slash at its end. */
  readonly url: string;
  close(): Promise<void>;
}

/** Where a player begins with each form, below an origin. */
export const entries = {
  'LL-HLS': '/ll/index.m3u8',
  'LL-HLS by byte range': '/ll-ranges/index.m3u8',
  'HLS in fMP4': '/hls/index.m3u8',
  'HLS in MPEG-TS': '/ts/index.m3u8',
  'DASH by number': '/dash/number.mpd',
  'DASH by timeline': '/dash/timeline.mpd',
  'low-latency DASH': '/dash/low-latency.mpd',
} as const;

/** An origin that has the channel in every form. */
export async function startLiveOrigin(options: ChannelOptions = {}): Promise<LiveOrigin> {
  const channel = await createChannel(options);
  const server = new LiveServer(channel.sites);
  await server.open();
  return { server, channel, url: server.url, close: () => server.close() };
}

const segmentMs = 2_000;
const windowSegments = 10;

export async function createChannel(options: ChannelOptions = {}): Promise<Channel> {
  const { clock = wallClock, firstSequence = 0, partMs = 400 } = options;
  const { epochMs = clock.nowMs() - 2 * windowSegments * segmentMs } = options;
  const { high, audio, segments } = await readMedia();
  const grid: Grid = { epochMs, segmentMs, partMs, windowSegments };
  const renditions = [
    new Rendition('video', { track: high, grid }),
    new Rendition('audio', { track: audio, grid }),
  ] as const;
  const lowLatency = new LowLatencySite({ clock, renditions, firstSequence });
  const guarded = new LowLatencySite({ clock, renditions, firstSequence, dateRanges: true, keys: true });
  const byteRanges = new LowLatencySite({ clock, renditions, firstSequence, addressing: 'byte ranges' });
  const dash = new DashSite({ clock, renditions });
  return {
    video: renditions[0],
    audio: renditions[1],
    lowLatency,
    byteRanges,
    guarded,
    dash,
    sites: {
      ll: lowLatency,
      'll-ranges': byteRanges,
      'll-guarded': guarded,
      hls: new HlsSite({ clock, renditions, firstSequence }),
      ts: new TransportStreamSite({ clock, epochMs, segments }),
      dash,
    },
  };
}

interface Media {
  readonly high: LoopingTrack;
  readonly audio: LoopingTrack;
  readonly segments: readonly Buffer[];
}

let read: Promise<Media> | undefined;

/** Once for all channels of a process. */
function readMedia(): Promise<Media> {
  read ??= (async () => {
    const folder = fileURLToPath(new URL('../../../src/sample/media/hls-ts/high/', import.meta.url));
    const names = Array.from({ length: 12 }, (_, i) => `${folder}${String(i).padStart(2, '0')}.ts`);
    const [high, audio, segments] = await Promise.all([
      readTrack('high'),
      readTrack('audio'),
      Promise.all(names.map((name) => readFile(name))),
    ]);
    return { high, audio, segments };
  })();
  return read;
}
