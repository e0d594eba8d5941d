/** Four minutes at a sample every two seconds. */
const samplesMax = 120;
/** Channels with most viewers; the table has them all. */
const channelsMax = 24;
/** A channel that is followed no more is shown for so long. */
const keptMs = 60_000;

/** What `/api/streams` said of live channels lately: bounded in channels and samples. */
export class ChannelHistory {
  #channels = new Map();

  /** Takes what is listed at that time. */
  add(streams, nowMs) {
    const listed = new Map();
    // Playlists that differ in their query only are listed once each, under one URL.
    for (const stream of streams)
      if (!(listed.get(stream.url)?.viewers >= stream.viewers)) listed.set(stream.url, stream);
    const chosen = [...listed.values()].toSorted((a, b) => b.viewers - a.viewers).slice(0, channelsMax);
    for (const stream of chosen) this.#take(stream, nowMs);
    for (const [url, { atMs }] of this.#channels) if (nowMs - atMs > keptMs) this.#channels.delete(url);
    while (this.#channels.size > channelsMax) this.#channels.delete(this.#oldest());
  }

  /** In the order of their URLs. */
  get channels() {
    return [...this.#channels.values()].toSorted((a, b) => (a.url < b.url ? -1 : 1));
  }

  #take({ url, kind, role, edgeLagMs, windowSeconds, viewers, requests, upstreamRequests }, atMs) {
    const channel = this.#channels.get(url) ?? { url, samples: [] };
    const { counted = { requests, upstreamRequests } } = channel;
    // They begin anew when a channel is followed anew.
    const since = requests >= counted.requests ? counted : { requests: 0, upstreamRequests: 0 };
    channel.samples.push({
      ...{ atMs, edgeLagMs, windowSeconds, viewers },
      asked: requests - since.requests,
      upstream: Math.max(0, upstreamRequests - since.upstreamRequests),
    });
    if (channel.samples.length > samplesMax) channel.samples.shift();
    this.#channels.set(url, { ...channel, kind, role, atMs, counted: { requests, upstreamRequests } });
  }

  #oldest() {
    return [...this.#channels.values()].reduce((a, b) => (b.atMs < a.atMs ? b : a)).url;
  }
}

/** Requests of viewers in these samples, and how many of them cost none upstream. */
export function savedIn(samples) {
  const asked = samples.reduce((sum, each) => sum + each.asked, 0);
  const upstream = samples.reduce((sum, each) => sum + each.upstream, 0);
  return { asked, saved: Math.max(0, asked - upstream) };
}

/** Points `x,y` of what was known of that value, newest at the right; y from 0 at the bottom to the most at the top. */
export function pointsOf(samples, name, { width, height }) {
  const most = Math.max(1e-9, ...samples.map((each) => each[name] ?? 0));
  const points = samples.flatMap((each, i) => {
    if (typeof each[name] !== 'number') return [];
    const x = width - ((samples.length - 1 - i) * width) / (samplesMax - 1);
    return [`${x.toFixed(1)},${(height - 2 - (Math.max(0, each[name]) / most) * (height - 6)).toFixed(1)}`];
  });
  return { points, most };
}
