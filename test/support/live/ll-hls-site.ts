import type { Clock } from './clock.ts';
import { partsAwaited, readDirectives } from './delivery-directives.ts';
import { growingSegment, rangeOf } from './growing-segment.ts';
import {
  type LowLatencyState,
  lowLatencyPlaylist,
  type PartAddressing,
  partTargetSeconds,
  targetSeconds,
} from './ll-hls-playlist.ts';
import { multivariantPlaylist } from './multivariant.ts';
import type { Rendition } from './rendition.ts';
import { type Answer, type Ask, found, foundMedia, type Refusal, refused, type Site } from './site.ts';

export interface LowLatencyOptions {
  readonly clock: Clock;
  readonly renditions: readonly Rendition[];
  readonly addressing?: PartAddressing;
  /** Default 0. */
  readonly firstSequence?: number;
  /** Default: no. */
  readonly dateRanges?: boolean;
  readonly keys?: boolean;
}

/**
 * Low-Latency HLS by RFC 8216bis: `index.m3u8`, and below the name of each rendition `live.m3u8`, `init.mp4`,
 * `seg-<media sequence number>.m4s` and `part-<media sequence number>.<part>.m4s`. What the standard forbids is
 * refused, and kept in `refusals`.
 */
export class LowLatencySite implements Site {
  readonly refusals: Refusal[] = [];
  readonly #clock: Clock;
  readonly #renditions: readonly Rendition[];
  readonly #addressing: PartAddressing;
  readonly #firstSequence: number;
  readonly #more: { readonly dateRanges: boolean; readonly keys: boolean };
  /** Blocked requests of each cache, by what they wait for. */
  readonly #blocked = new Set<string>();

  constructor({ clock, renditions, addressing = 'files', firstSequence = 0, ...more }: LowLatencyOptions) {
    this.#more = { dateRanges: more.dateRanges === true, keys: more.keys === true };
    this.#clock = clock;
    this.#renditions = renditions;
    this.#addressing = addressing;
    this.#firstSequence = firstSequence;
  }

  async answer(ask: Ask): Promise<Answer | undefined> {
    if (ask.path === 'index.m3u8')
      return found(Buffer.from(multivariantPlaylist('live.m3u8')), { type: 'm3u8', lifetimeSeconds: 60 });
    const [name, file = ''] = ask.path.split('/', 2);
    const rendition = this.#renditions.find((each) => each.name === name);
    if (rendition === undefined) return undefined;
    if (file === 'live.m3u8') return this.#playlist(rendition, ask);
    // Fit for a cache, so that one that keeps it is found out.
    if (this.#more.keys && /^key-\d+\.bin$/.test(file))
      return foundMedia(Buffer.from(file.padEnd(16).slice(0, 16)), { type: 'm4s', etag: file });
    if (file === 'init.mp4')
      return foundMedia(rendition.track.init, { type: 'mp4', etag: `init-${rendition.track.name}` });
    const [, sequence, part] = /^(?:seg|part)-(\d{1,12})(?:\.(\d{1,3}))?\.m4s$/.exec(file) ?? [];
    if (sequence === undefined) return undefined;
    const segment = Number(sequence) - this.#firstSequence;
    return part === undefined
      ? this.#segment(rendition, { segment, ask })
      : this.#part(rendition, { segment, part: Number(part), ask });
  }

  async #playlist(rendition: Rendition, ask: Ask): Promise<Answer> {
    const directives = readDirectives(ask.query, { skipsDateRanges: this.#more.dateRanges });
    if (typeof directives === 'string') return this.#refuse(directives, ask);
    const { partsPerSegment } = rendition;
    const ended = rendition.partsEnded(this.#clock.nowMs());
    const awaited = partsAwaited(directives, {
      lastSequence: this.#firstSequence + Math.floor(ended / partsPerSegment) - 1,
      openParts: ended % partsPerSegment,
      partsPerSegment,
      partTargetSeconds,
    });
    if (typeof awaited === 'string') return this.#refuse(awaited, ask);
    if (awaited === undefined) return this.#version(rendition, { skip: directives.skip, blocked: false });
    const untilParts = awaited - this.#firstSequence * partsPerSegment;
    if (untilParts > ended) await this.#block(rendition, { untilParts, ask });
    return this.#version(rendition, { skip: directives.skip, blocked: true });
  }

  async #block(rendition: Rendition, { untilParts, ask }: { untilParts: number; ask: Ask }): Promise<void> {
    const waiting = ask.via === undefined ? undefined : `${ask.via} ${ask.path}?${ask.query} ${untilParts}`;
    if (waiting !== undefined && this.#blocked.has(waiting)) this.#note('two blocked requests for one version', ask);
    if (waiting !== undefined) this.#blocked.add(waiting);
    try {
      await this.#clock.until(rendition.partStartMs(untilParts), ask.signal);
    } finally {
      if (waiting !== undefined) this.#blocked.delete(waiting);
    }
  }

  #version(rendition: Rendition, { skip, blocked }: { skip: LowLatencyState['skip']; blocked: boolean }): Answer {
    const nowMs = this.#clock.nowMs();
    const others = this.#renditions.filter((each) => each !== rendition);
    const state: LowLatencyState = {
      rendition,
      parts: rendition.partsEnded(nowMs),
      addressing: this.#addressing,
      reports: others.map((each) => ({ rendition: each, parts: each.partsEnded(nowMs) })),
      skip,
      ...this.#more,
      firstSequence: this.#firstSequence,
    };
    // Appendix B of the standard: what was blocked names its version, and may be kept for six target durations.
    const lifetimeSeconds = blocked ? 6 * targetSeconds(rendition) : targetSeconds(rendition) / 2;
    return found(Buffer.from(lowLatencyPlaylist(state)), { type: 'm3u8', lifetimeSeconds });
  }

  /** The part that is hinted is waited for; the ones after it do not exist. */
  async #part(
    rendition: Rendition,
    { segment, part, ask }: { segment: number; part: number; ask: Ask },
  ): Promise<Answer | undefined> {
    if (segment < 0 || part >= rendition.partsPerSegment) return undefined;
    const index = segment * rendition.partsPerSegment + part;
    const ended = rendition.partsEnded(this.#clock.nowMs());
    if (index > ended) {
      this.#note('a part that was not hinted', ask);
      return refused(404, 'not hinted');
    }
    if (index < ended - this.#kept(rendition)) return undefined;
    await this.#clock.until(rendition.partStartMs(index + 1), ask.signal);
    return foundMedia(rendition.partBytes(index), { type: 'm4s', etag: `${rendition.grid.epochMs}-part-${index}` });
  }

  async #segment(rendition: Rendition, { segment, ask }: { segment: number; ask: Ask }): Promise<Answer | undefined> {
    const { partsPerSegment } = rendition;
    const ended = rendition.partsEnded(this.#clock.nowMs());
    const complete = Math.floor(ended / partsPerSegment);
    if (segment < 0 || segment * partsPerSegment < ended - this.#kept(rendition)) return undefined;
    const etag = `${rendition.grid.epochMs}-segment-${segment}`;
    if (segment < complete) return foundMedia(rendition.segmentBytes(segment), { type: 'm4s', etag });
    const { signal } = ask;
    if (this.#addressing === 'byte ranges' && segment === complete)
      return growingSegment({ rendition, clock: this.#clock, segment, range: rangeOf(ask.range), etag, signal });
    this.#note('a segment that is not there yet', ask);
    return refused(404, 'not yet');
  }

  /** Parts after which a segment is gone: a playlist later than it left the playlist (RFC 8216 section 6.2.2). */
  #kept({ grid, partsPerSegment }: Rendition): number {
    return (2 * grid.windowSegments + 1) * partsPerSegment;
  }

  #refuse(why: string, ask: Ask): Answer {
    this.#note(why, ask);
    return refused(400, why);
  }

  #note(why: string, { path, query }: Ask): void {
    if (this.refusals.length < 1000) this.refusals.push({ why, path, query: query.toString() });
  }
}
