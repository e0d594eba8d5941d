import { type Clock, wallClock } from './clock.ts';
import { createChannel, type LiveOrigin } from './live-origin.ts';
import type { Fault } from './live-server.ts';
import { type Answer, refused } from './site.ts';

/** The origin is gone for that long, and comes back where it was. */
export async function goAway({ server }: LiveOrigin, ms: number): Promise<void> {
  await server.close();
  await new Promise((resolve) => setTimeout(resolve, ms));
  await server.open();
}

/** The encoder began anew some segments ago: media sequence numbers and decode times count from zero again. */
export async function restartEncoder({ server }: LiveOrigin): Promise<void> {
  const { sites } = await createChannel({ epochMs: Date.now() - 8_500 });
  await server.close();
  server.sites = sites;
  await server.open();
}

/** In its place comes another origin of the same channel that lags behind. */
export async function fallBehind({ server, channel }: LiveOrigin, segments: number): Promise<void> {
  const { epochMs, segmentMs } = channel.video.grid;
  const { sites } = await createChannel({ epochMs, clock: lagging(segments * segmentMs) });
  await server.close();
  server.sites = sites;
  await server.open();
}

function lagging(ms: number): Clock {
  return {
    nowMs: () => Date.now() - ms,
    until: (atMs, signal) => wallClock.until(atMs + ms, signal),
  };
}

/** Every now and then an answer is 404, 500 or the connection cut, and a playlist is cut off in the middle. */
export function nowAndThen({ channel }: LiveOrigin, every: number): Fault {
  let count = 0;
  return (ask) => {
    if (++count % every !== 0) return undefined;
    const faults: readonly (() => Answer | 'cut')[] = [
      () => refused(404, 'a fault'),
      () => refused(500, 'a fault'),
      () => 'cut',
      () => cutOff(channel.video.name),
    ];
    const turn = Math.floor(count / every) % faults.length;
    // Media cut off in the middle are told by their length; a playlist may look whole.
    const isPlaylist = /\.(m3u8|mpd)$/.test(ask.path);
    return turn === 3 && !isPlaylist ? undefined : faults[turn]?.();
  };
}

function cutOff(name: string): Answer {
  const text = `#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2.0,\n../${name}/se`;
  return { status: 200, fields: { 'Content-Type': 'application/vnd.apple.mpegurl' }, body: Buffer.from(text) };
}
