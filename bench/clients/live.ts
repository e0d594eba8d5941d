/** Many viewers of one live channel, each of two renditions, spread over the nodes of a cell. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DashViewer } from '../load/dash-viewer.ts';
import { epochMs } from '../load/keep-alive.ts';
import { MpdReader } from '../load/live-mpd.ts';
import { PlaylistReader } from '../load/live-playlist.ts';
import { emptyNotes, LiveViewer } from '../load/live-viewer.ts';
import { percentile } from '../statistics.ts';
import { clientOptions } from './client.ts';

export interface LiveClientOptions {
  readonly urls: readonly string[];
  /** Targets of the media playlists, or of the MPD, that each viewer follows. */
  readonly playlists: readonly string[];
  readonly viewers: number;
  readonly hints: boolean;
  /** Viewers come in during the first so many milliseconds. */
  readonly rampMs: number;
  /** Times are noted from then on, for so many seconds. */
  readonly warmMs: number;
  readonly seconds: number;
}

export interface LiveClientResult {
  readonly started: number;
  readonly stalls: number;
  readonly playlists: number;
  readonly pieces: number;
  readonly bytes: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly released: number;
  readonly releaseMs: readonly (number | undefined)[];
  readonly spreadMs: readonly (number | undefined)[];
  readonly deliveryMs: readonly (number | undefined)[];
  readonly latencyMs: readonly (number | undefined)[];
  /** Share of its core that this program used: near 1, it measures itself. */
  readonly busy: number;
}

async function watch(options: LiveClientOptions): Promise<LiveClientResult> {
  const { urls, playlists, viewers, hints, rampMs, warmMs, seconds } = options;
  const notes = emptyNotes();
  const stop = new AbortController();
  const { signal } = stop;
  const [reader, mpds] = [new PlaylistReader(), new MpdReader()];
  const fromMs = epochMs() + warmMs;
  const running: Promise<void>[] = [];
  for (let i = 0; i < viewers; i++) {
    const base = urls[i % urls.length] ?? '';
    for (const playlist of playlists) {
      const about = { base, playlist, notes, fromMs, signal };
      const viewer = playlist.endsWith('.mpd')
        ? new DashViewer({ ...about, reader: mpds })
        : new LiveViewer({ ...about, reader, hints });
      running.push(viewer.run());
    }
    await sleep(rampMs / viewers);
  }
  await sleep(warmMs - rampMs);
  const { user, system } = process.cpuUsage();
  const measuredMs = performance.now();
  await sleep(seconds * 1000);
  const used = process.cpuUsage({ user, system });
  const busy = (used.user + used.system) / 1e3 / (performance.now() - measuredMs);
  stop.abort();
  await Promise.all(running);
  const at = (values: readonly number[]) => [0.5, 0.99, 1].map((share) => percentile(values, share));
  const { releaseMs, spreadMs, firstMs: _, deliveryMs, latencyMs, errors, ...sums } = notes;
  return {
    ...sums,
    errors: Object.fromEntries(errors),
    released: releaseMs.length,
    releaseMs: at(releaseMs),
    spreadMs: at(spreadMs),
    deliveryMs: at(deliveryMs),
    latencyMs: at(latencyMs),
    busy,
  };
}

process.stdout.write(JSON.stringify(await watch(clientOptions())), () => process.exit(0));
