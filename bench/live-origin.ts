/** The live origin of the tests as a process of its own, which tells its parent over IPC what it was asked for. */
import { startLiveOrigin } from '../test/support/live/live-origin.ts';

/** The answer to each message. */
export interface LiveCount {
  readonly url: string;
  /** By path of each media playlist and MPD. */
  readonly playlists: Readonly<Record<string, { readonly requests: number; readonly versions: number }>>;
  readonly media: { readonly requests: number; readonly bytes: number; readonly uniqueBytes: number };
  readonly refusals: readonly string[];
}

const origin = await startLiveOrigin();
const { server, channel } = origin;

function count(): LiveCount {
  const playlists: Record<string, { requests: number; versions: number }> = {};
  for (const [path, { requests }] of server.counts) {
    const [, site = '', name] = path.split('/');
    const named = [channel.video, channel.audio].find((each) => each.name === name);
    // Both renditions are in one MPD, which may have changed with each segment.
    const rendition = path.endsWith('.mpd') ? channel.video : named;
    if (rendition === undefined || !/\.(m3u8|mpd)$/.test(path)) continue;
    const parts = rendition.partsEnded(Date.now());
    const versions = site.startsWith('ll') ? parts : Math.floor(parts / rendition.partsPerSegment);
    playlists[path] = { requests, versions };
  }
  const refusals = channel.lowLatency.refusals.map(({ why }) => why);
  return { url: origin.url, playlists, media: server.sum(/\.(m4s|mp4|ts)$/), refusals };
}

process.on('message', () => process.send?.(count()));
process.on('disconnect', () => process.exit(0));
process.send?.(count());
