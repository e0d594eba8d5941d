import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../support/live/clock.ts';
import { type LiveOrigin, startLiveOrigin } from '../support/live/live-origin.ts';
import { view } from '../support/viewer.ts';

/** The origin that live tests rest on: that it speaks the standard, and refuses what the standard forbids. */
describe('the live origin', () => {
  const epochMs = Date.UTC(2026, 10, 1, 12);
  let clock: ManualClock;
  let origin: LiveOrigin;

  beforeEach(async () => {
    // Segment 30 is open, and two of its five parts have ended.
    clock = new ManualClock(epochMs + 60_000 + 800);
    origin = await startLiveOrigin({ clock, epochMs });
  });
  afterEach(() => origin.close());

  const get = async (path: string) => {
    const { status, body } = await view(origin.url + path);
    return { status, text: body.toString(), body };
  };
  const blocked = () => expect.poll(() => clock.waiting);

  describe('with Low-Latency HLS', () => {
    it('has parts for three target durations, a hint, and a report on the other rendition', async () => {
      const { text } = await get('/ll/video/live.m3u8');
      expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:20\n');
      expect(text.match(/^#EXTINF:/gm)).toHaveLength(10);
      expect(text.match(/^#EXT-X-PART:/gm)).toHaveLength(3 * 5 + 2);
      expect(text).toContain('#EXT-X-PART:DURATION=0.40000,URI="part-30.0.m4s",INDEPENDENT=YES\n');
      expect(text).toContain('#EXT-X-PART:DURATION=0.40000,URI="part-30.1.m4s"\n#EXT-X-PRELOAD-HINT');
      expect(text).toContain('#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-30.2.m4s"\n');
      expect(text).toContain('#EXT-X-RENDITION-REPORT:URI="../audio/live.m3u8",LAST-MSN=30,LAST-PART=1\n');
      expect(text).toContain('#EXT-X-PROGRAM-DATE-TIME:2026-11-01T12:01:00.000Z\n');
    });

    it('answers a blocked reload when the part has ended, all at once', async () => {
      const answers = Promise.all([1, 2, 3].map(() => get('/ll/video/live.m3u8?_HLS_msn=30&_HLS_part=2')));
      await blocked().toBe(3);
      clock.advance(399);
      expect(clock.waiting).toBe(3);
      clock.advance(1);
      for (const { text } of await answers) expect(text).toContain('URI="part-30.2.m4s"\n#EXT-X-PRELOAD-HINT');
    });

    it('answers a blocked reload without a part when the segment has ended', async () => {
      const answer = get('/ll/video/live.m3u8?_HLS_msn=30');
      await blocked().toBe(1);
      clock.advance(1200);
      expect((await answer).text).toContain('\nseg-30.m4s\n');
    });

    it('takes a part after the last of a segment for the first of the next one', async () => {
      const answer = get('/ll/video/live.m3u8?_HLS_msn=30&_HLS_part=5');
      await blocked().toBe(1);
      clock.advance(1200);
      expect(clock.waiting).toBe(1);
      clock.advance(400);
      expect((await answer).text).toContain('URI="part-31.0.m4s"');
    });

    it('answers at once what is there already', async () => {
      for (const query of ['_HLS_msn=3', '_HLS_msn=29', '_HLS_msn=30&_HLS_part=1'])
        expect((await get(`/ll/video/live.m3u8?${query}`)).status).toBe(200);
    });

    it('skips what is older than the skip boundary', async () => {
      const { text } = await get('/ll/video/live.m3u8?_HLS_skip=YES');
      // The playlist ends at 60.8 s: segments that ended before 48.8 s.
      expect(text).toContain('#EXT-X-SKIP:SKIPPED-SEGMENTS=4\n');
      expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:20\n');
      expect(text.match(/^#EXTINF:/gm)).toHaveLength(6);
      const whole = (await get('/ll/video/live.m3u8')).text;
      expect(whole.endsWith(text.slice(text.indexOf('#EXT-X-PROGRAM-DATE-TIME')))).toBe(true);
    });

    it.each([
      ['_HLS_part=1', 'a part without a media sequence number'],
      ['_HLS_msn=x', 'a directive that is no decimal integer'],
      ['_HLS_msn=30&_HLS_part=-1', 'a directive that is no decimal integer'],
      ['_HLS_msn=30&_HLS_msn=30', 'a directive twice'],
      ['_HLS_msn=32', 'a media sequence number too far ahead'],
      ['_HLS_msn=31&_HLS_part=4', 'a part beyond the advance part limit'],
      ['_HLS_skip=NO', 'a skip that is neither YES nor v2'],
      ['_HLS_skip=v2', 'a skip of date ranges that was not offered'],
      ['_HLS_push=1', 'an unknown directive'],
    ])('refuses %s: %s', async (query, why) => {
      // Nothing of segment 30 is there yet.
      clock.advance(-800);
      expect(await get(`/ll/video/live.m3u8?${query}`)).toMatchObject({ status: 400, text: `${why}\n` });
      expect(origin.channel.lowLatency.refusals).toEqual([{ why, path: 'video/live.m3u8', query }]);
    });

    it('notes two blocked requests of one cache for one version, not those of two players', async () => {
      const path = '/ll/video/live.m3u8?_HLS_msn=30&_HLS_part=2';
      const headers = { Via: '1.1 a-cache' };
      const answers = Promise.all([get(path), get(path), view(origin.url + path, { headers })]);
      await blocked().toBe(3);
      expect(origin.channel.lowLatency.refusals).toEqual([]);
      const another = view(origin.url + path, { headers });
      await blocked().toBe(4);
      expect(origin.channel.lowLatency.refusals).toMatchObject([{ why: 'two blocked requests for one version' }]);
      clock.advance(400);
      await Promise.all([answers, another]);
    });

    it('holds the hinted part until it has ended, and has none after it', async () => {
      const part = get('/ll/video/part-30.2.m4s');
      await blocked().toBe(1);
      expect((await get('/ll/video/part-30.3.m4s')).status).toBe(404);
      clock.advance(400);
      expect((await part).body).toEqual(origin.channel.video.partBytes(152));
    });

    it('has segments that are their parts', async () => {
      const parts = await Promise.all([0, 1, 2, 3, 4].map((i) => get(`/ll/audio/part-29.${i}.m4s`)));
      const { body } = await get('/ll/audio/seg-29.m4s');
      expect(Buffer.concat(parts.map((each) => each.body))).toEqual(body);
      expect((await get('/ll/audio/seg-30.m4s')).status).toBe(404);
    });

    it('has parts as byte ranges of a segment that grows', async () => {
      const { text } = await get('/ll-ranges/video/live.m3u8');
      const [, length, offset] = /URI="seg-30.m4s",BYTERANGE="(\d+)@(\d+)"\n#EXT-X-PRELOAD-HINT/.exec(text) ?? [];
      const start = Number(length) + Number(offset);
      expect(text).toContain(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="seg-30.m4s",BYTERANGE-START=${start}\n`);
      const url = `${origin.url}/ll-ranges/video/seg-30.m4s`;
      const there = await view(url, { headers: { Range: `bytes=${offset}-${start - 1}` } });
      expect(there).toMatchObject({ status: 206, body: origin.channel.video.partBytes(151) });
      const hinted = view(url, { headers: { Range: `bytes=${start}-` } });
      const whole = view(url);
      await blocked().toBe(2);
      clock.advance(400);
      expect(await hinted).toMatchObject({ status: 206, body: origin.channel.video.partBytes(152) });
      for (const waiting of [1, 1]) {
        await blocked().toBe(waiting);
        clock.advance(400);
      }
      expect((await whole).body).toEqual(origin.channel.video.segmentBytes(30));
    });
  });

  it('has plain HLS in fMP4, and in MPEG-TS with discontinuities', async () => {
    const { text } = await get('/hls/audio/live.m3u8');
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:20\n');
    // An audio segment is 93 or 94 frames.
    expect(text).toMatch(/#EXTINF:2\.00533,\nseg-\d+\.m4s\n[^\n]+\n#EXTINF:1\.98400,/);
    expect((await get('/hls/video/seg-29.m4s')).body).toEqual(origin.channel.video.segmentBytes(29));
    expect((await get('/hls/video/seg-30.m4s')).status).toBe(404);
    expect((await get('/ts/index.m3u8')).text).toContain('#EXT-X-DISCONTINUITY-SEQUENCE:1\n');
    expect((await get('/ts/seg-29.ts')).body[0]).toBe(0x47);
  });

  describe('with DASH', () => {
    it('has segments by number and by time', async () => {
      const { text } = await get('/dash/timeline.mpd');
      const times = [...text.matchAll(/<S t="(\d+)" d="(\d+)"\/>/g)].map(([, t, d]) => [Number(t), Number(d)] as const);
      expect(times).toHaveLength(20);
      expect(times[9]).toEqual([29 * 25_600, 25_600]);
      const [[t = 0] = []] = times.slice(-1);
      const byTime = await get(`/dash/audio/time-${t}.m4s`);
      expect(byTime.body).toEqual((await get('/dash/audio/29.m4s')).body);
      expect((await get(`/dash/audio/time-${t + 1}.m4s`)).status).toBe(404);
      expect((await get('/dash/number.mpd')).text).toContain('duration="96000" startNumber="0"');
    });

    it('sends a segment while it is made, in low latency', async () => {
      expect((await get('/dash/low-latency.mpd')).text).toContain('availabilityTimeOffset="1.55"');
      expect((await get('/dash/video/30.m4s')).status).toBe(404);
      const segment = get('/dash/video/chunked-30.m4s');
      for (let part = 2; part < 5; part++) {
        await blocked().toBe(1);
        clock.advance(400);
      }
      expect((await segment).body).toEqual(origin.channel.video.segmentBytes(30));
      expect((await get(`/dash/video/chunked-32.m4s`)).status).toBe(404);
    });
  });

  it('counts what it sends, goes away and comes back where it was', async () => {
    await get('/hls/video/seg-29.m4s');
    await get('/hls/video/seg-29.m4s');
    const { length } = origin.channel.video.segmentBytes(29);
    expect(origin.server.sum(/\.m4s$/)).toEqual({ requests: 2, bytes: 2 * length, uniqueBytes: length });
    const held = get('/ll/video/part-30.2.m4s');
    const cut = expect(held).rejects.toThrow();
    await blocked().toBe(1);
    await origin.server.close();
    await cut;
    await expect(get('/ll/index.m3u8')).rejects.toThrow('ECONNREFUSED');
    await origin.server.open();
    expect((await get('/ll/index.m3u8')).status).toBe(200);
  });
});
