import { ExpiringSet } from '../../expiring-set.ts';
import type { Clock } from '../clock.ts';
import { BackgroundFetches } from './background-fetches.ts';
import type { MediaReference } from './sequences.ts';

/** What became of something fetched ahead. */
export type Outcome = 'useful' | 'wasted' | 'dropped' | 'present' | 'failed';

export interface PrefetchCounts {
  readonly requests: (outcome: Outcome) => void;
  readonly bytes: (outcome: 'useful' | 'wasted', bytes: number) => void;
}

interface PrefetcherOptions<Context> {
  readonly clock: Clock;
  /** Fetches it into the cache. `onBytes` hears of each chunk that was not there, and says whether to go on. Never rejects. */
  readonly fetch: (wanted: MediaReference, options: FetchOptions<Context>) => Promise<'fetched' | 'present' | 'failed'>;
  readonly counts: PrefetchCounts;
  /** Bytes that were fetched and not asked for yet. */
  readonly bytesMax: number;
  /** Fetches at once. */
  readonly requestsMax: number;
}

export interface FetchOptions<Context> {
  /** Of the viewer that made it wanted. */
  readonly context: Context;
  readonly signal: AbortSignal;
  readonly onBytes: (count: number) => boolean;
}

interface Job<Context> {
  readonly wanted: MediaReference;
  readonly context: Context;
  readonly viewing: string;
  readonly controller: AbortController;
  state: 'queued' | 'running' | 'done';
  /** A viewer asked for it. */
  used: boolean;
  bytes: number;
  untilMs: number;
}

const jobsMax = 512;
const unusedMs = 60_000;
const timeoutMs = 30_000;
const sweepMs = 10_000;
const settledMs = 10_000;

/** Fetches what viewers will ask for, within bounds, and keeps account of what came of it. */
export class Prefetcher<Context> {
  readonly #options: PrefetcherOptions<Context>;
  readonly #fetches: BackgroundFetches;
  /** Oldest first. */
  readonly #jobs = new Map<string, Job<Context>>();
  readonly #byViewing = new Map<string, Set<Job<Context>>>();
  /** What was found to be there, or not to be had: no need to look again for each viewer. */
  readonly #settled: ExpiringSet;
  #bytes = 0;
  #cancelSweep: (() => void) | undefined;

  constructor(options: PrefetcherOptions<Context>) {
    this.#options = options;
    this.#fetches = new BackgroundFetches({ ...options, timeoutMs });
    this.#settled = new ExpiringSet({ forMs: settledMs, namesMax: 4_096, nowMs: () => options.clock.nowMs() });
  }

  /** Bytes that were fetched and not asked for yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A viewer asks for that key, and will then want these. `viewing`: who watches what. What was to be fetched for it and is
   * not among them turned out wrong, and is dropped.
   */
  seen(
    key: string,
    { viewing, wanted, context }: { viewing: string; wanted: readonly MediaReference[]; context: Context },
  ): void {
    this.used(key);
    const still = new Set(wanted.map((each) => each.key));
    for (const job of this.#byViewing.get(viewing) ?? [])
      if (!job.used && job.state !== 'done' && !still.has(job.wanted.key)) this.#drop(job);
    for (const each of wanted)
      if (!this.#jobs.has(each.key) && each.key !== key && !this.#settled.has(each.key))
        this.#add(each, { viewing, context });
    this.#run();
  }

  /** A viewer asks for that key. */
  used(key: string): void {
    const job = this.#jobs.get(key);
    if (job === undefined || job.used) return;
    job.used = true;
    if (job.state === 'done') this.#end(job, 'useful');
    // The viewer's own request is on its way already.
    else if (job.state === 'queued') this.#end(job, 'dropped');
  }

  close(): void {
    this.#cancelSweep?.();
    for (const job of [...this.#jobs.values()]) this.#drop(job);
  }

  #add(wanted: MediaReference, { viewing, context }: { viewing: string; context: Context }): void {
    const [oldest] = this.#jobs.values();
    if (this.#jobs.size >= jobsMax && oldest !== undefined) this.#drop(oldest);
    const controller = new AbortController();
    const untilMs = this.#options.clock.nowMs() + unusedMs;
    const rest = { controller, state: 'queued', used: false, bytes: 0, untilMs } as const;
    const job: Job<Context> = { wanted, context, viewing, ...rest };
    this.#jobs.set(wanted.key, job);
    this.#byViewing.getOrInsertComputed(viewing, () => new Set()).add(job);
    this.#cancelSweep ??= this.#options.clock.after(sweepMs, () => this.#sweep());
  }

  #run(): void {
    const { bytesMax } = this.#options;
    for (const job of this.#jobs.values()) {
      if (!this.#fetches.hasRoom || this.#bytes >= bytesMax) return;
      if (job.state === 'queued') void this.#fetch(job);
    }
  }

  async #fetch(job: Job<Context>): Promise<void> {
    const { bytesMax, fetch } = this.#options;
    job.state = 'running';
    let within = true;
    const onBytes = (count: number): boolean => {
      // Dropped meanwhile: its bytes are accounted for.
      if (this.#jobs.get(job.wanted.key) !== job) return false;
      job.bytes += count;
      this.#bytes += count;
      within &&= this.#bytes <= bytesMax;
      return within;
    };
    const { wanted, context, controller } = job;
    const outcome = await this.#fetches.run(controller, (signal) => fetch(wanted, { context, signal, onBytes }));
    if (this.#jobs.get(wanted.key) === job) {
      job.state = 'done';
      if (outcome !== 'fetched') this.#end(job, outcome);
      else if (job.used) this.#end(job, 'useful');
      else if (!within) this.#end(job, 'wasted');
    }
    this.#run();
  }

  /** It is not wanted any more. What of it came was for nothing. */
  #drop(job: Job<Context>): void {
    const { state } = job;
    this.#end(job, state === 'done' ? 'wasted' : 'dropped');
    if (state === 'running') job.controller.abort();
  }

  #end(job: Job<Context>, outcome: Outcome): void {
    const { requests, bytes } = this.#options.counts;
    this.#jobs.delete(job.wanted.key);
    const ofViewing = this.#byViewing.get(job.viewing);
    ofViewing?.delete(job);
    if (ofViewing?.size === 0) this.#byViewing.delete(job.viewing);
    this.#bytes -= job.bytes;
    requests(outcome);
    if (outcome !== 'dropped' && outcome !== 'wasted') this.#settled.add(job.wanted.key);
    if (job.bytes > 0) bytes(outcome === 'useful' ? 'useful' : 'wasted', job.bytes);
  }

  #sweep(): void {
    this.#cancelSweep = undefined;
    const nowMs = this.#options.clock.nowMs();
    for (const job of [...this.#jobs.values()]) if (job.untilMs <= nowMs) this.#drop(job);
    if (this.#jobs.size > 0) this.#cancelSweep = this.#options.clock.after(sweepMs, () => this.#sweep());
    this.#run();
  }
}
