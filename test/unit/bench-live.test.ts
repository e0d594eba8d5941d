import { describe, expect, it } from 'vitest';
import { KeepAlive } from '../../bench/load/keep-alive.ts';
import { parseLiveMpd } from '../../bench/load/live-mpd.ts';
import { PlaylistReader, parseLivePlaylist } from '../../bench/load/live-playlist.ts';
import { ManualClock } from '../support/live/clock.ts';
import { startLiveOrigin } from '../support/live/live-origin.ts';
import { startOrigin } from '../support/origin.ts';

async function read(base: string, path: string): Promise<{ status: number; body: Buffer }> {
  const response = await fetch(base + path);
  return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
}

const epochMs = Date.UTC(2026, 10, 1, 12);

describe('the viewers of the bench', () => {
  it('read parts, dates and what to ask for next', async () => {
    const origin = await startLiveOrigin({ clock: new ManualClock(epochMs + 60_800), epochMs });
    try {
      const text = async (path: string) => Buffer.from(await (await fetch(origin.url + path)).arrayBuffer());
      const low = parseLivePlaylist(await text('/ll/video/live.m3u8'));
      expect(low).toMatchObject({ targetMs: 2_000, hint: 'part-30.2.m4s', next: '_HLS_msn=30&_HLS_part=2' });
      expect(low.pieces.at(-1)).toEqual({
        uri: 'part-30.1.m4s',
        startMs: epochMs + 60_400,
        endMs: epochMs + 60_800,
      });
      const plain = parseLivePlaylist(await text('/hls/video/live.m3u8'));
      expect(plain.next).toBeUndefined();
      expect(plain.pieces.at(-1)).toEqual({
        uri: 'seg-29.m4s',
        startMs: epochMs + 58_000,
        endMs: epochMs + 60_000,
      });
    } finally {
      await origin.close();
    }
  });

  it.each(['number', 'timeline'])('read a live MPD by %s: what there is, and when', async (form) => {
    const nowMs = epochMs + 60_800;
    const origin = await startLiveOrigin({ clock: new ManualClock(nowMs), epochMs });
    try {
      const { status, body } = await read(origin.url, `/dash/${form}.mpd`);
      expect(status).toBe(200);
      const { updateMs, delayMs, renditions } = parseLiveMpd(body);
      expect([updateMs, delayMs, renditions.map(({ init }) => init)]).toEqual([
        2_000,
        6_000,
        ['video/init.mp4', 'audio/init.mp4'],
      ]);
      for (const { id, pieces } of renditions) {
        const newest = pieces(nowMs, nowMs - 5_000);
        expect(newest.length).toBe(3);
        // Segments of audio end with a frame.
        expect(Math.abs((newest.at(-1)?.endMs ?? 0) - (epochMs + 60_000))).toBeLessThan(25);
        for (const { uri } of newest) expect((await read(origin.url, `/dash/${uri}`)).status, `${id} ${uri}`).toBe(200);
      }
      expect(origin.channel.dash.refusals).toEqual([]);
    } finally {
      await origin.close();
    }
  });

  it('read the same bytes once', () => {
    const reader = new PlaylistReader();
    const bytes = () => Buffer.from('#EXTM3U\n#EXT-X-TARGETDURATION:2\n');
    expect(reader.read(bytes())).toBe(reader.read(bytes()));
    expect(() => reader.read(Buffer.from('<html>'))).toThrow('no media playlist');
  });

  it('take answers with a length and in chunks on one connection, and see it break', async () => {
    const origin = await startOrigin({
      '/length': { length: 70_000 },
      '/chunks': { length: 70_000, chunked: true, seed: '/length' },
      '/cut': { length: 70_000, cutAfterBytes: 10 },
    });
    const connection = new KeepAlive(origin.url);
    try {
      const first = await connection.get('/length', true);
      const second = await connection.get('/chunks', true);
      expect(first).toMatchObject({ status: 200, bytes: 70_000 });
      expect(second.body).toEqual(first.body);
      expect((await connection.get('/nowhere', false)).status).toBe(404);
      expect(origin.connections).toBe(1);
      await expect(connection.get('/cut', false)).rejects.toThrow('closed');
    } finally {
      connection.close();
      await origin.close();
    }
  });
});
