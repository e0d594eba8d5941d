import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fetched, fetchChecked } from './cell-fetch.ts';
import { type CellMedia, filePath, KnownBytes, lengthOf, playlistPath, segmentPath } from './cell-media.ts';

/** A node as a viewer knows it. */
export interface Seat {
  readonly http: string;
}

export interface AudienceOptions<Node extends Seat> {
  readonly media: CellMedia;
  /** Nodes that viewers may be moved to when theirs is gone. */
  readonly open: () => readonly Node[];
  readonly onFetched?: (fetched: Fetched, node: Node) => void;
  /** Share of the times a live viewer has seen a playlist after which it moves to any other node. Default 0. */
  readonly moveShare?: number;
}

const fileStepBytes = 1_000_000;
const retryMs = 100;
/** Players begin three segments before the end (RFC 8216 section 6.3.3), and nodes fetch those ahead of them. */
const startSegments = 3;

/** Viewers who watch all the time, check every byte, and move to another node when theirs is gone. */
export class Audience<Node extends Seat> {
  /** Wrong bytes, error statuses and answers cut off, those of nodes that were excused left out. */
  readonly faults: string[] = [];
  /** Media that took longer than a segment plays, in ms, by path. */
  readonly late: string[] = [];
  readonly wholeMs: number[] = [];
  readonly firstByteMs: number[] = [];
  fetches = 0;
  bytes = 0;
  /** Requests that failed because their node was killed or frozen. */
  excusedFaults = 0;
  readonly known = new KnownBytes();
  readonly #options: AudienceOptions<Node>;
  readonly #asked = new Map<string, number>();
  /** When each node was killed or frozen, and came back. */
  readonly #excused = new Map<Node, { fromMs: number; toMs: number }[]>();
  readonly #viewers: Promise<void>[] = [];
  readonly #stop = new AbortController();

  constructor(options: AudienceOptions<Node>) {
    this.#options = options;
  }

  /** Viewers of the live channel who sit at that node. */
  watchLive(node: Node, viewers: number): void {
    for (let i = 0; i < viewers; i++) this.#viewers.push(this.#live(node));
  }

  /** Viewers of a file, from its beginning to its end, then of the next one: `names` says which. */
  watchFiles(
    node: Node,
    { viewers, names, stepMs }: { viewers: number; names: readonly string[]; stepMs: number },
  ): void {
    for (let i = 0; i < viewers; i++) this.#viewers.push(this.#files(node, names, stepMs));
  }

  /** What fails at that node from now on is nobody's fault. */
  excuse(node: Node): void {
    this.#excused.set(node, [...(this.#excused.get(node) ?? []), { fromMs: performance.now(), toMs: Infinity }]);
  }

  unexcuse(node: Node): void {
    const last = this.#excused.get(node)?.at(-1);
    if (last !== undefined) last.toMs = performance.now();
  }

  /** Bytes of different resources, versions and parts that viewers have asked for under that prefix. */
  uniqueBytes(prefix = '/'): number {
    return [...this.#asked].reduce((sum, [key, bytes]) => (key.startsWith(prefix) ? sum + bytes : sum), 0);
  }

  /** The same for each resource and version: its path, a space and its ETag. */
  askedBytes(): ReadonlyMap<string, number> {
    const asked = new Map<string, number>();
    for (const [key, bytes] of this.#asked) {
      const name = key.slice(0, key.lastIndexOf(' '));
      asked.set(name, (asked.get(name) ?? 0) + bytes);
    }
    return asked;
  }

  /** Resolves when those who watch files have seen them all. */
  async ended(): Promise<void> {
    await Promise.all(this.#viewers);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended();
  }

  async #live(first: Node): Promise<void> {
    const viewer = this.#viewer(first);
    let last: number | undefined;
    while (!this.#stop.signal.aborted) {
      const playlist = await viewer.fetch(playlistPath);
      const newest = playlist === undefined ? undefined : newestIn(playlist.text);
      if (newest !== undefined)
        for (
          let sequence = Math.max(newest - 3, (last ?? newest - startSegments) + 1);
          sequence <= newest;
          sequence++
        ) {
          last = sequence;
          await viewer.fetch(segmentPath(sequence));
        }
      await this.#rest(Math.min(500, this.#options.media.segmentMs / 4));
    }
    viewer.leave();
  }

  async #files(first: Node, names: readonly string[], stepMs: number): Promise<void> {
    const viewer = this.#viewer(first);
    const { fileBytes } = this.#options.media;
    for (const name of names)
      for (let at = 0; at < fileBytes && !this.#stop.signal.aborted; at += fileStepBytes) {
        const startedMs = performance.now();
        await viewer.fetch(filePath(name), { first: at, last: Math.min(at + fileStepBytes, fileBytes) - 1 });
        await this.#rest(stepMs - (performance.now() - startedMs));
      }
    viewer.leave();
  }

  #viewer(first: Node) {
    const { media, open, onFetched, moveShare = 0 } = this.#options;
    let node = first;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const fetch = async (path: string, range?: { first: number; last: number }): Promise<Fetched | undefined> => {
      while (!this.#stop.signal.aborted) {
        const moves = path === playlistPath && Math.random() < moveShare;
        if (moves || this.#isExcused(node, performance.now())) {
          const others = open().filter((each) => !this.#isExcused(each, performance.now()));
          node = others[Math.floor(Math.random() * others.length)] ?? node;
        }
        const fetched = await fetchChecked(node.http, path, { agent, known: this.known, media, range });
        onFetched?.(fetched, node);
        this.#note(fetched, { node, range });
        if (fetched.fault === undefined) return fetched;
        // A live segment that is gone, or another try of a player: what failed is in the notes.
        if (fetched.fault.kind === 'status') return undefined;
        await this.#rest(retryMs);
      }
      return undefined;
    };
    return { fetch, leave: () => agent.destroy() };
  }

  #note(fetched: Fetched, { node, range }: { node: Node; range: { first: number } | undefined }): void {
    const { path, etag, fault, startedMs, wholeMs, firstByteMs, bytes, cacheStatus } = fetched;
    const isPlaylist = path === playlistPath;
    this.fetches++;
    this.bytes += bytes;
    const length = range === undefined ? (lengthOf(path, this.#options.media) ?? bytes) : fileStepBytes;
    if (!isPlaylist || fault === undefined)
      this.#asked.set(`${path} ${etag || '"v1"'} ${range?.first ?? 0}`, isPlaylist ? bytes : length);
    const excused = this.#wasExcused(node, startedMs, startedMs + wholeMs);
    if (fault !== undefined) {
      if (excused && fault.kind === 'cut') this.excusedFaults++;
      else this.faults.push(`${fault.kind}: ${fault.detail} (${node.http}, ${Math.round(wholeMs)} ms, ${cacheStatus})`);
      return;
    }
    if (isPlaylist || excused) return;
    this.wholeMs.push(wholeMs);
    this.firstByteMs.push(firstByteMs);
    if (wholeMs > this.#options.media.segmentMs) this.late.push(`${path}: ${Math.round(wholeMs)} ms (${cacheStatus})`);
  }

  #isExcused(node: Node, nowMs: number): boolean {
    return this.#wasExcused(node, nowMs, nowMs);
  }

  #wasExcused(node: Node, fromMs: number, toMs: number): boolean {
    return this.#excused.get(node)?.some((each) => each.fromMs <= toMs && fromMs <= each.toMs) ?? false;
  }

  async #rest(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#stop.signal }).catch(() => {});
  }
}

function newestIn(playlist: string): number | undefined {
  const last = [...playlist.matchAll(/^seg-(\d+)\.m4s$/gm)].at(-1)?.[1];
  return last === undefined ? undefined : Number(last);
}
