import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { epochMs } from '../../bench/load/keep-alive.ts';
import { PlaylistReader } from '../../bench/load/live-playlist.ts';
import { emptyNotes, type LiveNotes, LiveViewer } from '../../bench/load/live-viewer.ts';
import { ProcessCell } from '../support/cell.ts';
import { type LiveOrigin, startLiveOrigin } from '../support/live/live-origin.ts';

/** By blocking reload the origin says when there is more; what is polled is asked for too early now and then. */
const requestsMax = { ll: 1.1, hls: 1.5 } as const;
const playlists = ['/ll/video/live.m3u8', '/ll/audio/live.m3u8', '/hls/video/live.m3u8'];
const viewersEach = 10;
const [startMs, watchMs] = [3_000, 6_000];

/** What a live channel costs its origin, however many watch at however many nodes. */
describe('an audience of a live channel', () => {
  it.concurrent.each([1, 3])('at %d nodes asks the origin once', { timeout: 90_000 }, async (nodes) => {
    const origin = await startLiveOrigin();
    const cell = await ProcessCell.start(nodes, ['--origin', origin.url]);
    const stop = new AbortController();
    const notes = emptyNotes();
    const watching: Promise<void>[] = [];
    try {
      for (const { http } of cell.nodes)
        for (let i = 0; i < viewersEach; i++)
          for (const playlist of playlists) watching.push(watch(http, { playlist, notes, signal: stop.signal }));
      await sleep(startMs);
      const before = asked(origin);
      await sleep(watchMs);
      const after = asked(origin);
      expect(Object.fromEntries(notes.errors)).toEqual({});
      expect(notes.started).toBe(watching.length);
      for (const playlist of playlists) {
        const requests = (after[playlist]?.requests ?? 0) - (before[playlist]?.requests ?? 0);
        const versions = (after[playlist]?.versions ?? 0) - (before[playlist]?.versions ?? 0);
        expect(requests, playlist).toBeGreaterThan(0);
        // One more for a version at either end of the time that was watched.
        const most = versions * (playlist.startsWith('/ll/') ? requestsMax.ll : requestsMax.hls) + 1;
        expect(requests, playlist).toBeLessThanOrEqual(most);
      }
      const media = origin.server.sum(/\.m4s$/);
      // On a busy machine an owner that is slow is overtaken now and then; the bench holds a cell to 1.05 too.
      expect(media.bytes).toBeLessThanOrEqual(media.uniqueBytes * (nodes === 1 ? 1.05 : 1.5));
      expect(origin.channel.lowLatency.refusals).toEqual([]);
    } finally {
      stop.abort();
      await Promise.all(watching);
      await cell.close();
      await origin.close();
    }
  });
});

function watch(
  http: string,
  { playlist, notes, signal }: { playlist: string; notes: LiveNotes; signal: AbortSignal },
): Promise<void> {
  const base = http.replace(/\/$/, '');
  const viewer = new LiveViewer({
    base,
    playlist,
    notes,
    signal,
    reader: new PlaylistReader(),
    fromMs: epochMs(),
    hints: false,
  });
  return viewer.run();
}

/** Requests for each playlist, and how many versions of it there have been. */
function asked({ server, channel }: LiveOrigin): Record<string, { requests: number; versions: number }> {
  return Object.fromEntries(
    playlists.map((path) => {
      const [, site = '', name] = path.split('/');
      const rendition = name === 'audio' ? channel.audio : channel.video;
      const parts = rendition.partsEnded(Date.now());
      const versions = site === 'll' ? parts : Math.floor(parts / rendition.partsPerSegment);
      return [path, { requests: server.counts.get(path)?.requests ?? 0, versions }];
    }),
  );
}
