import { expect, it, vi } from 'vitest';
import { Fields } from '../../src/fields.ts';
import { FollowedPlaylist } from '../../src/live/follow/followed-playlist.ts';
import { PlaylistVersion } from '../../src/live/follow/playlist-version.ts';
import { parseHls } from '../../src/live/hls/hls.ts';
import { HandClock } from '../support/hand-clock.ts';

function version(first: number): PlaylistVersion {
  const bytes = Buffer.from(
    `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:${first}\n#EXTINF:2,\n${first}.ts\n`,
  );
  const manifest = parseHls(bytes, 'http://origin.example/a.m3u8');
  if (manifest === undefined) throw new Error('the playlist is understood');
  const received = { bytes, fields: Fields.empty, atMs: 0, learntMs: 0 };
  return new PlaylistVersion(manifest, { received, toEdge: () => undefined, onServed: () => {}, lifetimeSeconds: 1 });
}

it('is given up, and said so, where a version that came finds a fault of ours', async () => {
  const fault = new Error('a fault');
  const onEnd = vi.fn();
  const clock = new HandClock();
  const followed = new FollowedPlaylist(version(1), {
    clock,
    load: async () => ({ kind: 'version', version: version(2) }),
    blocks: () => true,
    waitsUpstream: () => false,
    owns: () => true,
    tell: () => {},
    onVersion: () => {
      throw fault;
    },
    onEnd,
  });
  const held = followed.holds({ wanted: { msn: 9, part: undefined } }, new AbortController().signal);
  clock.turnToNext(60_000);
  expect(await held).toBeUndefined();
  expect(onEnd).toHaveBeenCalledExactlyOnceWith(fault);
  expect(followed.ended).toBe(true);
});
