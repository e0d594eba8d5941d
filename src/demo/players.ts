import { setTimeout as sleep } from 'node:timers/promises';

const playlistPath = '/live/index.m3u8';
const pollMs = 1_000;
const requestTimeoutMs = 10_000;

/** Players without a picture: each follows the live channel at its node, segment after segment. */
export class Players {
  readonly count: number[];
  bytes = 0;
  failures = 0;
  /** What they asked for, each thing once: its name and its size. */
  readonly #asked = new Map<string, number>();
  readonly #urls: readonly string[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];

  constructor(urls: readonly string[]) {
    this.#urls = urls;
    this.count = urls.map(() => 0);
  }

  get uniqueBytes(): number {
    return [...this.#asked.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** One more at each node. */
  join(): void {
    for (const [i, url] of this.#urls.entries()) {
      this.count[i] = (this.count[i] ?? 0) + 1;
      this.#running.push(this.#play(url));
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #play(url: string): Promise<void> {
    let last = '';
    while (!this.#stop.signal.aborted) {
      const playlist = (await this.#get(url, playlistPath))?.toString() ?? '';
      const segments = [...playlist.matchAll(/^seg-\d+\.ts$/gm)].map(([name]) => name);
      // Who has just come begins three segments before the end (RFC 8216 section 6.3.3).
      const news = last === '' ? segments.slice(-3) : segments.slice(segments.indexOf(last) + 1);
      for (const name of news) {
        await this.#get(url, `/live/${name}`);
        last = name;
      }
      await sleep(pollMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  async #get(url: string, path: string): Promise<Buffer | undefined> {
    try {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(requestTimeoutMs)]);
      const response = await fetch(url + path, { signal });
      const body = Buffer.from(await response.arrayBuffer());
      this.bytes += body.length;
      if (!response.ok) this.failures++;
      else this.#asked.set(`${path} ${response.headers.get('etag')}`, body.length);
      return response.ok ? body : undefined;
    } catch {
      if (!this.#stop.signal.aborted) this.failures++;
      return undefined;
    }
  }
}
