/**
 * Viewers that each read segment after segment, no faster than they play. A viewer that falls a whole segment behind
 * would have stalled in a player that keeps one segment in its buffer.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { ObjectBytes, readTarget } from '../objects.ts';
import { percentile } from '../statistics.ts';
import { clientOptions } from './client.ts';
import { openDiscard, openReceiveBound } from './discard.ts';
import { type Progress, ResponseReader } from './response-reader.ts';

export interface PacedOptions {
  readonly url: string;
  readonly targets: readonly string[];
  readonly segmentBytes: number;
  readonly viewers: number;
  readonly bitsPerSecond: number;
  readonly seconds: number;
  /** What the kernel keeps for each viewer, who shares this machine's with the server. */
  readonly receiveBytes: number;
}

export interface PacedResult {
  readonly segments: number;
  readonly bodyBytes: number;
  readonly seconds: number;
  /** From a segment's request to its last byte. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly maxMs: number | undefined;
  /** Viewers that fell a whole segment behind, or lost their connection. */
  readonly stalls: number;
  /** Share of a core that this program used: near 1 it measures itself. */
  readonly busy: number;
  /** Body bytes that were read and compared with the origin's. */
  readonly comparedBytes: number;
  readonly errors: readonly string[];
}

interface Viewer {
  readonly index: number;
  readonly socket: Socket;
  readonly reader: ResponseReader;
  /** Whether it reads what it is sent and compares it; the others discard it unread. */
  readonly compares: boolean;
  startsMs: number;
  /** Body bytes read since then, of all segments. */
  bytes: number;
  segments: number;
  /** 0: has not asked for anything. */
  requestedMs: number;
  paused: boolean;
  stalled: boolean;
}

/** Viewers are looked after in turn, each this often. */
const turnMs = 150;
const tickMs = 5;
const connectBatch = 200;
const errorsMax = 10;
/** One viewer of so many compares. */
const compareEach = 100;
const readBytesMax = 128 * 1024;
const headBytesMax = 1024;

class PacedViewers {
  readonly #options: PacedOptions;
  readonly #bytesPerMs: number;
  readonly #segmentMs: number;
  /** Bodies are taken in turns without being read, where that can be had: only heads come to the buffer. */
  readonly #discard = openDiscard();
  readonly #bound = openReceiveBound();
  readonly #heads = Buffer.allocUnsafe(this.#discard === undefined ? readBytesMax : headBytesMax);
  readonly #bodies = Buffer.allocUnsafe(readBytesMax);
  readonly #objects: ObjectBytes;
  readonly #viewers: Viewer[] = [];
  readonly #timesMs: number[] = [];
  readonly #errors: string[] = [];
  readonly #done = Promise.withResolvers<void>();
  #bodyBytes = 0;
  #comparedBytes = 0;
  #startedMs = 0;
  #turn = 0;
  #ended = false;

  constructor(options: PacedOptions) {
    this.#options = options;
    this.#objects = new ObjectBytes(options.segmentBytes);
    this.#bytesPerMs = options.bitsPerSecond / 8 / 1000;
    this.#segmentMs = options.segmentBytes / this.#bytesPerMs;
  }

  async run(): Promise<PacedResult> {
    const { viewers } = this.#options;
    for (let i = 0; i < viewers; i += connectBatch) {
      const batch = Array.from({ length: Math.min(connectBatch, viewers - i) }, (_none, j) => this.#open(i + j));
      await Promise.all(batch.map(({ socket }) => once(socket, 'connect')));
      this.#viewers.push(...batch);
    }
    const cpuBefore = process.cpuUsage();
    this.#startedMs = performance.now();
    // Spread over one segment, as viewers are who came at any time.
    for (const viewer of this.#viewers) {
      viewer.startsMs = this.#startedMs + (viewer.index / viewers) * this.#segmentMs;
    }
    const ticker = setInterval(() => this.#tick(), tickMs);
    await this.#done.promise;
    clearInterval(ticker);
    this.#ended = true;
    const cpu = process.cpuUsage(cpuBefore);
    return this.#result((cpu.user + cpu.system) / 1e6);
  }

  #tick(): void {
    const nowMs = performance.now();
    const { length } = this.#viewers;
    const due = Math.floor(((nowMs - this.#startedMs) / turnMs) * length);
    for (const last = Math.min(due, this.#turn + length); this.#turn < last; this.#turn++) {
      const viewer = this.#viewers[this.#turn % length];
      if (viewer !== undefined) this.#look(viewer, nowMs);
    }
    if (nowMs - this.#startedMs > this.#options.seconds * 1000 + this.#segmentMs) this.#done.resolve();
  }

  /** Lets a viewer read on when playing has caught up with what it read. */
  #look(viewer: Viewer, nowMs: number): void {
    if (nowMs < viewer.startsMs) return;
    if (viewer.requestedMs === 0) this.#ask(viewer, nowMs);
    const played = (nowMs - viewer.startsMs) * this.#bytesPerMs;
    if (played - viewer.bytes > this.#options.segmentBytes) viewer.stalled = true;
    if (!viewer.paused || viewer.bytes > played) return;
    if (viewer.reader.left > 0 && this.#takeUnread(viewer, nowMs)) return;
    viewer.paused = false;
    viewer.socket.resume();
  }

  /** Takes what came and is due. False: reading has to tell what comes next. */
  #takeUnread(viewer: Viewer, nowMs: number): boolean {
    const { left } = viewer.reader;
    if (this.#discard === undefined || left === 0 || viewer.compares) return false;
    const due = Math.ceil((nowMs + turnMs - viewer.startsMs) * this.#bytesPerMs) - viewer.bytes;
    const taken = this.#discard(viewer.socket, Math.max(1, Math.min(left, due)));
    if (taken > 0) this.#progress(viewer, viewer.reader.skip(taken), nowMs);
    // None: the connection is at its end.
    return taken !== 0;
  }

  #ask(viewer: Viewer, nowMs: number): void {
    const { url } = this.#options;
    viewer.requestedMs = nowMs;
    viewer.reader.next();
    viewer.socket.write(`GET ${this.#targetOf(viewer)} HTTP/1.1\r\nHost: ${new URL(url).host}\r\n\r\n`);
  }

  #targetOf({ index, segments }: Viewer): string {
    const { targets } = this.#options;
    return targets[(index + segments) % targets.length] ?? '/';
  }

  #open(index: number): Viewer {
    const { hostname: host, port } = new URL(this.#options.url);
    const callback = (size: number, bytes: Uint8Array) => {
      try {
        return this.#read(viewer, Buffer.from(bytes.buffer, bytes.byteOffset, size));
      } catch (error) {
        socket.destroy(error as Error);
        return false;
      }
    };
    const compares = index % compareEach === 0;
    const buffer = compares ? this.#bodies : this.#heads;
    const socket = connect({ host, port: Number(port), noDelay: true, onread: { buffer, callback } });
    socket.once('connect', () => this.#bound?.(socket, this.#options.receiveBytes));
    const state = { startsMs: Number.POSITIVE_INFINITY, bytes: 0, segments: 0, requestedMs: 0 };
    const flags = { paused: false, stalled: false };
    const viewer: Viewer = { index, socket, reader: new ResponseReader(), compares, ...state, ...flags };
    socket.on('error', (error) => this.#fail(String(error)));
    socket.on('close', () => {
      if (this.#ended) return;
      this.#fail('a connection was closed');
      viewer.stalled = true;
    });
    return viewer;
  }

  /** Whether to go on reading: not beyond what will have been played at the next turn. */
  #read(viewer: Viewer, chunk: Buffer): boolean {
    const nowMs = performance.now();
    const before = viewer.reader.bodyBytes;
    const progress = viewer.reader.take(chunk);
    if (viewer.compares) this.#compare(viewer, chunk, before);
    this.#progress(viewer, progress, nowMs);
    if (this.#takeUnread(viewer, nowMs)) viewer.paused = true;
    else viewer.paused = viewer.bytes > (nowMs + turnMs - viewer.startsMs) * this.#bytesPerMs;
    return !viewer.paused;
  }

  /** Throws when what came of a body, at the end of the chunk, are not the origin's bytes from `first` on. */
  #compare(viewer: Viewer, chunk: Buffer, first: number): void {
    const bytes = viewer.reader.bodyBytes - first;
    const target = this.#targetOf(viewer);
    const expected = this.#objects.slice(readTarget(target)?.name ?? '', first, first + bytes - 1);
    if (!chunk.subarray(chunk.length - bytes).equals(expected))
      throw new Error(`${target}: other bytes after ${first}`);
    this.#comparedBytes += bytes;
  }

  #progress(viewer: Viewer, progress: Progress, nowMs: number): void {
    const { segmentBytes } = this.#options;
    viewer.bytes = viewer.segments * segmentBytes + progress.bodyBytes;
    if (!progress.complete) return;
    if (progress.status !== 200 || progress.bodyBytes !== segmentBytes) this.#fail(`status ${progress.status}`);
    this.#timesMs.push(nowMs - viewer.requestedMs);
    this.#bodyBytes += progress.bodyBytes;
    viewer.segments++;
    this.#ask(viewer, nowMs);
  }

  #fail(error: string): void {
    if (this.#errors.length < errorsMax) this.#errors.push(error);
  }

  #result(cpuSeconds: number): PacedResult {
    const at = (share: number) => percentile(this.#timesMs, share);
    const seconds = (performance.now() - this.#startedMs) / 1000;
    return {
      segments: this.#timesMs.length,
      bodyBytes: this.#bodyBytes,
      seconds,
      ...{ p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) },
      stalls: this.#viewers.filter(({ stalled }) => stalled).length,
      busy: cpuSeconds / seconds,
      comparedBytes: this.#comparedBytes,
      errors: this.#errors,
    };
  }
}

process.stdout.write(JSON.stringify(await new PacedViewers(clientOptions()).run()), () => process.exit(0));
