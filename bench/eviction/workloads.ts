import { type Random, Zipf } from './random.ts';
import { type File, type Trace, TraceBuilder } from './trace.ts';

/** Somebody's demand. One round is the playing time of a segment, some 4 s. */
export interface Workload {
  round(trace: TraceBuilder, random: Random): void;
}

const segmentBytesMin = 0.5 * 2 ** 20;
const segmentBytesMax = 6 * 2 ** 20;

interface Session {
  readonly segments: readonly File[];
  at: number;
  readonly end: number;
}

/** Viewers come, choose a title by popularity, play it in order, and mostly leave early. */
export class Vod implements Workload {
  readonly #options: { titles: number; alpha: number; arrivals: number; releases?: number };
  readonly #popularity: Zipf;
  readonly #titles: (readonly File[])[] = [];
  #sessions: Session[] = [];

  /** `arrivals`: sessions that begin per round. `releases`: chance per round that a new title enters near the top. */
  constructor(options: { titles: number; alpha: number; arrivals: number; releases?: number }) {
    this.#options = options;
    this.#popularity = new Zipf(options.titles, options.alpha);
  }

  round(trace: TraceBuilder, random: Random): void {
    while (this.#titles.length < this.#options.titles) this.#titles.push(title(trace, random));
    if (random.next() < (this.#options.releases ?? 0)) {
      this.#titles.splice(random.whole(0, this.#titles.length >> 3), 0, title(trace, random));
      this.#titles.pop();
    }
    for (let left = this.#options.arrivals; random.next() < left; left--) this.#sessions.push(this.#arrival(random));
    for (const session of this.#sessions) trace.read(session.segments[session.at++] as File);
    this.#sessions = this.#sessions.filter(({ at, end }) => at < end);
  }

  #arrival(random: Random): Session {
    const segments = this.#titles[this.#popularity.rank(random)] as readonly File[];
    const from = random.next() < 0.15 ? random.whole(0, segments.length - 1) : 0;
    const watched = watchedShare(random);
    return { segments, at: from, end: from + Math.max(1, Math.round((segments.length - from) * watched)) };
  }
}

/** Many leave at once, as many somewhere in between, the rest stays to the end. */
function watchedShare(random: Random): number {
  const patience = random.next();
  if (patience < 0.4) return 0.05;
  return patience < 0.8 ? random.next() : 1;
}

function title(trace: TraceBuilder, random: Random): readonly File[] {
  const bytes = random.scaled(segmentBytesMin, segmentBytesMax);
  const count = Math.round(random.scaled(20, 400));
  return Array.from({ length: count }, () => trace.file(bytes * (0.8 + 0.4 * random.next())));
}

/** Channels that make one segment a round; their viewers read it at their own lag, within a minute, then nobody does. */
export class Live implements Workload {
  readonly #channels: { readonly bytes: number; readonly lags: readonly number[]; readonly recent: File[] }[] = [];
  readonly #options: { channels: number; viewers: number };

  /** `viewers`: of the most popular channel; the others have fewer, by Zipf. */
  constructor(options: { channels: number; viewers: number }) {
    this.#options = options;
  }

  round(trace: TraceBuilder, random: Random): void {
    while (this.#channels.length < this.#options.channels) {
      const viewers = Math.ceil(this.#options.viewers / (this.#channels.length + 1) ** 0.8);
      const lags = Array.from({ length: viewers }, () => Math.floor(random.next() ** 2 * 15));
      this.#channels.push({ bytes: random.scaled(segmentBytesMin, segmentBytesMax), lags, recent: [] });
    }
    for (const { bytes, lags, recent } of this.#channels) {
      recent.unshift(trace.file(bytes * (0.8 + 0.4 * random.next())));
      if (recent.length > 15) recent.pop();
      for (const lag of lags) {
        const segment = recent[lag];
        if (segment !== undefined) trace.read(segment);
      }
    }
  }
}

/** A crawler: every file once, never again. With small ranges it reads each piece several times in a row. */
export class Scan implements Workload {
  readonly #options: { filesPerRound: number; readsPerPiece: number };

  constructor(options: { filesPerRound: number; readsPerPiece: number }) {
    this.#options = options;
  }

  round(trace: TraceBuilder, random: Random): void {
    for (let left = this.#options.filesPerRound; left > 0; left--) {
      const { firstKey, count } = trace.file(random.scaled(segmentBytesMin, segmentBytesMax));
      for (let key = firstKey; key < firstKey + count; key++)
        for (let read = 0; read < this.#options.readsPerPiece; read++) trace.read({ firstKey: key, count: 1 });
    }
  }
}

export function traceOf(
  name: string,
  workloads: readonly Workload[],
  options: { accesses: number; random: Random },
): Trace {
  const trace = new TraceBuilder(options.accesses);
  while (!trace.full) for (const workload of workloads) workload.round(trace, options.random);
  return trace.build(name);
}
