import { describe, expect, it } from 'vitest';
import { stepBetween } from '../../src/live/follow/adoption.ts';
import { parseHls } from '../../src/live/hls/hls.ts';
import type { Manifest } from '../../src/live/manifest.ts';

/** Segments first .. last of 2 s; the channel began at that epoch second. */
function playlist(first: number, last: number, beganSeconds?: number): Manifest {
  const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${first}`];
  if (beganSeconds !== undefined)
    lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date((beganSeconds + first * 2) * 1000).toISOString()}`);
  for (let sequence = first; sequence <= last; sequence++) lines.push('#EXTINF:2.000,', `seg-${sequence}.ts`);
  const manifest = parseHls(Buffer.from(`${lines.join('\n')}\n`), 'http://origin.example/main.m3u8');
  if (manifest === undefined) throw new Error('not a playlist');
  return manifest;
}

describe('a version beside the newest known one', () => {
  it.each([
    ['more media', playlist(1, 5), 'newer'],
    ['fewer, of those that are known', playlist(0, 1), 'behind'],
    ['none of those that are known', playlist(0, 0), 'restart'],
  ] as const)('%s', (_, came, step) => {
    expect(stepBetween(playlist(1, 4), came)).toBe(step);
  });

  it('is of a restart where its dates are not those of its numbers', () => {
    const known = playlist(0, 4, 1_000);
    expect(stepBetween(known, playlist(0, 1, 1_000))).toBe('behind');
    expect(stepBetween(known, playlist(0, 1, 1_003))).toBe('behind');
    expect(stepBetween(known, playlist(0, 1, 1_020))).toBe('restart');
  });
});
