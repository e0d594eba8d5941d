import type { LoopingTrack } from './looping-track.ts';

/** How a channel is cut, and when it began. */
export interface Grid {
  /** Epoch milliseconds of the first sample of segment 0; that is its program date time too. */
  readonly epochMs: number;
  readonly segmentMs: number;
  /** Divides a segment. */
  readonly partMs: number;
  /** Complete segments in a playlist. */
  readonly windowSegments: number;
}

/**
 * A track cut into segments and parts on the grid. Parts are counted from the beginning of the channel; a sample
 * belongs to the part in which it starts, so audio parts end up to one frame later than their place on the grid.
 */
export class Rendition {
  readonly name: string;
  readonly track: LoopingTrack;
  readonly grid: Grid;
  readonly partsPerSegment: number;

  constructor(name: string, { track, grid }: { track: LoopingTrack; grid: Grid }) {
    this.name = name;
    this.track = track;
    this.grid = grid;
    this.partsPerSegment = grid.segmentMs / grid.partMs;
  }

  /** Parts that have ended by then. */
  partsEnded(nowMs: number): number {
    const { epochMs, partMs } = this.grid;
    const parts = Math.max(0, Math.floor((nowMs - epochMs) / partMs));
    return parts > 0 && this.partStartMs(parts) > nowMs ? parts - 1 : parts;
  }

  /** Epoch milliseconds at which the part begins and the one before it has ended. */
  partStartMs(part: number): number {
    return this.grid.epochMs + this.track.startMs(this.#firstSample(part));
  }

  partSeconds(part: number): number {
    return (this.partStartMs(part + 1) - this.partStartMs(part)) / 1000;
  }

  partBytes(part: number): Buffer {
    return this.track.fragment(this.#firstSample(part), this.#firstSample(part + 1));
  }

  segmentStartMs(segment: number): number {
    return this.partStartMs(segment * this.partsPerSegment);
  }

  segmentSeconds(segment: number): number {
    return (this.segmentStartMs(segment + 1) - this.segmentStartMs(segment)) / 1000;
  }

  /** Its parts, one after the other. */
  segmentBytes(segment: number): Buffer {
    const first = segment * this.partsPerSegment;
    return Buffer.concat(Array.from({ length: this.partsPerSegment }, (_, i) => this.partBytes(first + i)));
  }

  /** In ticks of the track, from the beginning of the channel. */
  segmentTicks(segment: number): number {
    return this.#firstSample(segment * this.partsPerSegment) * this.track.sampleTicks;
  }

  #firstSample(part: number): number {
    return this.track.sampleAt(part * this.grid.partMs);
  }
}
