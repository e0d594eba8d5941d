import { expect, it } from 'vitest';

interface Sample {
  readonly viewers: number;
  readonly edgeLagMs: number | null;
  readonly asked: number;
  readonly upstream: number;
}

interface HistoryModule {
  readonly ChannelHistory: new () => {
    add(streams: readonly object[], nowMs: number): void;
    readonly channels: readonly { readonly url: string; readonly samples: readonly Sample[] }[];
  };
  savedIn(samples: readonly Sample[]): { asked: number; saved: number };
  pointsOf(
    samples: readonly Sample[],
    name: string,
    size: { width: number; height: number },
  ): { points: readonly string[]; most: number };
}

// The console is plain JavaScript for browsers.
const file = new URL('../../src/console/channel-history.js', import.meta.url).href;
const { ChannelHistory, savedIn, pointsOf } = (await import(file)) as HistoryModule;

const stream = (changes: object) => ({
  ...{ url: '/a.m3u8', kind: 'hls', role: 'owner', edgeLagMs: 1_000, windowSeconds: 20, viewers: 5 },
  ...{ requests: 100, upstreamRequests: 10, ...changes },
});

it('counts what viewers asked for and what it took upstream since it was opened, also when counts begin anew', () => {
  const history = new ChannelHistory();
  history.add([stream({})], 0);
  history.add([stream({ requests: 160, upstreamRequests: 12 })], 2_000);
  history.add([stream({ requests: 7, upstreamRequests: 1 })], 4_000);
  const [channel] = history.channels;
  expect(channel?.samples.map(({ asked, upstream }) => [asked, upstream])).toEqual([
    [0, 0],
    [60, 2],
    [7, 1],
  ]);
  expect(savedIn(channel?.samples ?? [])).toEqual({ asked: 67, saved: 64 });
});

it('keeps a bounded number of samples and channels, those with most viewers, and forgets what is gone', () => {
  const history = new ChannelHistory();
  const many = Array.from({ length: 1_000 }, (_, i) => stream({ url: `/${i}.m3u8`, viewers: i }));
  for (let i = 0; i < 300; i++) history.add(many, i * 2_000);
  expect(history.channels).toHaveLength(24);
  expect(history.channels.map(({ url }) => url)).toContain('/999.m3u8');
  for (const { samples } of history.channels) expect(samples).toHaveLength(120);
  history.add([stream({})], 600_000 + 61_000);
  expect(history.channels.map(({ url }) => url)).toEqual(['/a.m3u8']);
});

it('draws what is known, the newest at the right', () => {
  const history = new ChannelHistory();
  for (const [i, edgeLagMs] of [1_000, null, 2_000].entries()) history.add([stream({ edgeLagMs })], i * 2_000);
  const { points, most } = pointsOf(history.channels[0]?.samples ?? [], 'edgeLagMs', { width: 119, height: 90 });
  expect([points, most]).toEqual([['117.0,46.0', '119.0,4.0'], 2_000]);
});
