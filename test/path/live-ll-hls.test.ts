import { afterEach, describe, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { HandClock } from '../support/hand-clock.ts';
import { ManualClock } from '../support/live/clock.ts';
import { type Channel, createChannel } from '../support/live/live-origin.ts';
import { LiveServer } from '../support/live/live-server.ts';
import { liveStage } from '../support/live-stage.ts';
import { startOrigin } from '../support/origin.ts';
import { ScriptedChannel } from '../support/scripted-channel.ts';
import { until } from '../support/until.ts';
import { view } from '../support/viewer.ts';

const path = '/ll/video/live.m3u8';
const partMs = 400;
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface Stage {
  readonly channel: Channel;
  readonly edge: Edge;
  readonly origin: LiveServer;
  readonly originClock: ManualClock;
  readonly clock: HandClock;
  readonly url: string;
  /** The next part, and so many more, come to be at the origin. */
  advance(parts?: number): void;
  /** Requests for the playlist that reached the origin. */
  asked(): number;
}

/** A low-latency origin and an edge, each with a clock that the test turns; five parts are a segment. */
async function stage(): Promise<Stage> {
  const originClock = new ManualClock(Date.now());
  const channel = await createChannel({ clock: originClock, epochMs: originClock.nowMs() - 40_000 - partMs / 2 });
  const origin = new LiveServer(channel.sites);
  await origin.open();
  const clock = new HandClock();
  const edge = await startEdge({ origins: [origin.url], liveClock: clock });
  cleanups.push(
    () => edge.close(),
    () => origin.close(),
  );
  return {
    ...{ channel, edge, origin, originClock, clock, url: edge.url + path },
    advance: (parts = 1) => originClock.advance(parts * partMs),
    asked: () => origin.counts.get(path)?.requests ?? 0,
  };
}

/** Media sequence number and part that the next version will have. */
function nextOf(playlist: string): { msn: number; part: number; query: string } {
  const first = Number(/#EXT-X-MEDIA-SEQUENCE:(\d+)/.exec(playlist)?.[1]);
  const msn = first + (playlist.match(/#EXTINF/g)?.length ?? 0);
  const part = playlist.slice(playlist.lastIndexOf('#EXTINF')).match(/#EXT-X-PART:/g)?.length ?? 0;
  return { msn, part, query: `?_HLS_msn=${msn}&_HLS_part=${part}` };
}

const text = async (url: string) => (await view(url)).body.toString();

describe('blocking reload of a low-latency channel', () => {
  it('costs one request for each version, and releases all who wait with the same bytes', async () => {
    const { channel, edge, advance, asked, clock, url, originClock } = await stage();
    let playlist = await text(url);
    for (let round = 0; round < 7; round++) {
      clock.turn(1);
      await until(() => originClock.waiting === 1, 'the mirror waiting for the next part');
      const { query } = nextOf(playlist);
      const held = Array.from({ length: 20 }, () => view(url + query));
      await until(() => edge.live.waiting === 20, 'viewers being held');
      const before = asked();
      advance();
      const answers = await Promise.all(held);
      const [first] = answers;
      playlist = first?.body.toString() ?? '';
      for (const { status, body } of answers) expect([status, body.toString()]).toEqual([200, playlist]);
      expect(nextOf(playlist).query).not.toBe(query);
      expect(asked()).toBe(before);
    }
    expect(asked()).toBeLessThanOrEqual(9);
    expect(channel.lowLatency.refusals).toEqual([]);
  });

  it('counts as given when a viewer gets it, not when the mirror reads it', async () => {
    const { edge, advance, clock, url, originClock } = await stage();
    await text(url);
    const total = (): number => edge.served.origin + edge.served.ram;
    const before = total();
    for (let round = 0; round < 3; round++) {
      const { polls } = edge.live;
      clock.turn(1);
      await until(() => originClock.waiting === 1, 'the mirror waiting for the next part');
      advance();
      await until(() => edge.live.polls > polls, 'a poll');
    }
    expect(total()).toBe(before);
  });

  it.each([{ prefix: '/other/' }, 'all'] as const)('is not refused because something is purged (%o)', async (which) => {
    const { edge, advance, asked, clock, url } = await stage();
    const { query } = nextOf(await text(url));
    const held = [1, 2].map(() => view(url + query));
    await until(() => edge.live.waiting === 2, 'viewers being held');
    await edge.purge(which);
    await until(() => edge.live.waiting === 2, 'viewers being held again');
    const before = asked();
    clock.turn(1);
    await until(() => asked() > before, 'the mirror waiting for the next part');
    advance();
    for (const { status, body } of await Promise.all(held)) {
      expect(status).toBe(200);
      expect(nextOf(body.toString()).query).not.toBe(query);
    }
  });

  it('goes on upstream where something else is purged, and is given up once its playlist is', async () => {
    const playlist = [
      ...['#EXTM3U', '#EXT-X-VERSION:9', '#EXT-X-TARGETDURATION:4'],
      '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3.0',
      ...['#EXT-X-PART-INF:PART-TARGET=1.0', '#EXT-X-MEDIA-SEQUENCE:10', '#EXTINF:4,', 's10.m4s', ''],
    ].join('\n');
    let [asked, open] = [0, 0];
    const { edge, clock } = await liveStage((request, response) => {
      asked += 1;
      if (request.url?.includes('_HLS_msn') !== true) {
        response.writeHead(200, { 'Content-Type': 'application/vnd.apple.mpegurl' }).end(playlist);
        return;
      }
      open += 1;
      response.on('close', () => {
        open -= 1;
      });
    });
    const url = `${edge.url}/live.m3u8`;
    await text(url);
    clock.turn(1);
    await until(() => open === 1, 'the mirror waiting for the next part');
    const before = asked;
    await edge.purge({ prefix: '/other/' });
    await edge.purge({ tag: 'news' });
    expect(await text(url)).toBe(playlist);
    expect([asked, open]).toEqual([before, 1]);
    await edge.purge({ url: '/live.m3u8' });
    await until(() => open === 0, 'the origin being told that nobody waits');
  });

  it('is answered at once for what is there', async () => {
    const { url, asked } = await stage();
    const { msn, part } = nextOf(await text(url));
    const before = asked();
    for (const query of [`?_HLS_msn=${msn - 1}`, `?_HLS_msn=${msn - 3}&_HLS_part=9`])
      expect((await view(url + query)).status).toBe(200);
    if (part > 0) expect((await view(`${url}?_HLS_msn=${msn}&_HLS_part=${part - 1}`)).status).toBe(200);
    expect(asked()).toBe(before);
  });

  it('is refused where the standard forbids it', async () => {
    const { url, asked } = await stage();
    const { msn, part } = nextOf(await text(url));
    const before = asked();
    for (const query of [
      `?_HLS_msn=${msn + 3}`,
      '?_HLS_part=1',
      '?_HLS_msn=x',
      `?_HLS_msn=${msn}&_HLS_part=${part + 30}`,
    ]) {
      const { status, headers } = await view(url + query);
      expect([query, status, headers['cache-control']]).toEqual([query, 400, 'no-store']);
    }
    expect(asked()).toBe(before);
  });

  it('ends with 503 after three target durations', async () => {
    const { clock, edge, url } = await stage();
    const { query } = nextOf(await text(url));
    const held = view(url + query);
    await until(() => edge.live.waiting === 1, 'a viewer being held');
    clock.turn(6_000);
    expect((await held).status).toBe(503);
  });

  it('ends with what is known while the origin is away', async () => {
    const { clock, edge, origin, url } = await stage();
    const known = await text(url);
    const held = view(url + nextOf(known).query);
    await until(() => edge.live.waiting === 1, 'a viewer being held');
    clock.turn(1);
    await origin.close();
    await until(() => edge.live.polls > 0, 'the origin not being there');
    clock.turn(6_000);
    const { status, body } = await held;
    expect([status, body.toString()]).toEqual([200, known]);
  });

  it('lets go of viewers who leave', async () => {
    const { edge, url } = await stage();
    const { query } = nextOf(await text(url));
    const leaving = new AbortController();
    const held = fetch(url + query, { signal: leaving.signal }).catch(() => 'left');
    await until(() => edge.live.waiting === 1, 'a viewer being held');
    leaving.abort();
    expect(await held).toBe('left');
    await until(() => edge.live.waiting === 0, 'the place being given up');
  });
});

describe('a delta update', () => {
  it('is made at the edge, and with what was skipped it is the playlist', async () => {
    const { asked, url } = await stage();
    const whole = await text(url);
    const before = asked();
    const { body, headers } = await view(`${url}?_HLS_skip=YES`);
    const delta = body.toString();
    const skipped = Number(/#EXT-X-SKIP:SKIPPED-SEGMENTS=(\d+)/.exec(delta)?.[1]);
    expect(skipped).toBeGreaterThan(2);
    const uris = (playlist: string) => playlist.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(uris(delta)).toEqual(uris(whole).slice(skipped));
    const tail = (playlist: string) => playlist.slice(playlist.lastIndexOf('#EXT-X-PROGRAM-DATE-TIME'));
    expect(tail(delta)).toBe(tail(whole));
    expect(headers.etag).not.toBe((await view(url)).headers.etag);
    expect(asked()).toBe(before);
  });
});

describe('a part that is hinted', () => {
  it('is asked for once, before it is there, and given to all', async () => {
    const { advance, clock, origin, originClock, url } = await stage();
    const hint = /PRELOAD-HINT:TYPE=PART,URI="([^"]*)"/.exec(await text(url))?.[1] ?? '';
    clock.turn(1);
    const held = Array.from({ length: 10 }, () => view(url.replace('live.m3u8', hint)));
    await until(() => originClock.waiting >= 2, 'the origin holding the part and the playlist');
    advance();
    const parts = await Promise.all(held);
    for (const { status, body } of parts) expect([status, body.equals(parts[0]?.body ?? body)]).toEqual([200, true]);
    expect(origin.counts.get(path.replace('live.m3u8', hint))?.requests).toBe(1);
  });
});

describe('blocking reload that only the edge offers', () => {
  it('is said in the playlist, and holds until the mirror has the segment', async () => {
    const channel = new ScriptedChannel();
    const clock = new HandClock();
    const origin = await startOrigin({ '/main.m3u8': channel.playlist });
    const edge = await startEdge({ origins: [origin.url], liveClock: clock, live: { offerBlockingReload: true } });
    cleanups.push(
      () => edge.close(),
      () => origin.close(),
    );
    const url = `${edge.url}/main.m3u8`;
    const control = '#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES';
    expect(await text(url)).toBe(channel.text().replace(/(#EXT-X-TARGETDURATION.*)/, `$1\n${control}`));
    const held = Array.from({ length: 10 }, () => text(`${url}?_HLS_msn=5`));
    await until(() => edge.live.waiting === 10, 'viewers being held');
    channel.advance();
    clock.turn(2_000);
    for (const playlist of await Promise.all(held)) expect(playlist).toContain('seg-5.ts');
    expect(origin.count('/main.m3u8')).toBe(2);
    const late = view(`${url}?_HLS_msn=6`);
    await until(() => edge.live.waiting === 1, 'a viewer being held');
    clock.turn(6_000);
    const { status, body } = await late;
    expect([status, body.toString()]).toEqual([200, await text(url)]);
  });
});
