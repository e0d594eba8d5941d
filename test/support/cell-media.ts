import { patternBytes, resourceSeed } from './origin.ts';

/** What the origin of a cell has. */
export interface CellMedia {
  readonly segmentMs: number;
  readonly segmentBytes: number;
  readonly fileBytes: number;
}

/** 2 Mb/s. */
export const cellMedia: CellMedia = { segmentMs: 2_000, segmentBytes: 500_000, fileBytes: 8_000_000 };

/**
 * 1 Mb/s, for faults: whatever befalls a cell, no segment may take longer than it plays, or viewers see a stall. That is
 * the deadline of the media, and what goes on at 20 KB/s, or waits for a dead node until a connection breaks, misses it.
 */
export const faultMedia: CellMedia = { ...cellMedia, segmentMs: 4_000 };

/** What a test itself waits for, on however busy a machine. */
export const patienceMs = 10_000;

export const playlistPath = '/live/index.m3u8';

export function segmentPath(sequence: number): string {
  return `/live/seg-${sequence}.m4s`;
}

/** `name` makes it a resource of its own, of the length of a segment. */
export function coldPath(name: string): string {
  return `/cold/${name}.m4s`;
}

export function filePath(name: string): string {
  return `/vod/${name}.mp4`;
}

/** Undefined: there is no such resource. */
export function lengthOf(path: string, media: CellMedia): number | undefined {
  if (/^\/(?:live\/seg-\d+|cold\/[\w.-]+)\.m4s$/.test(path)) return media.segmentBytes;
  return /^\/vod\/[\w.-]+\.mp4$/.test(path) ? media.fileBytes : undefined;
}

/** Segments in the playlist. */
const windowSegments = 5;

/** The newest segment is the one that has just ended: `#EXT-X-MEDIA-SEQUENCE` counts from the epoch. */
export function playlistAt(nowMs: number, { segmentMs }: CellMedia): string {
  const last = newestSegment(nowMs, segmentMs);
  const first = last - windowSegments + 1;
  const seconds = segmentMs / 1000;
  const lines = ['#EXTM3U', '#EXT-X-VERSION:6', `#EXT-X-TARGETDURATION:${Math.ceil(seconds)}`];
  lines.push(`#EXT-X-MEDIA-SEQUENCE:${first}`);
  for (let sequence = first; sequence <= last; sequence++)
    lines.push(`#EXTINF:${seconds.toFixed(3)},`, `seg-${sequence}.m4s`);
  return `${lines.join('\n')}\n`;
}

export function newestSegment(nowMs: number, segmentMs: number): number {
  return Math.floor(nowMs / segmentMs) - 1;
}

/** Bytes of whole resources, made once: many viewers check the same ones. */
export class KnownBytes {
  readonly #kept = new Map<string, Buffer>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = 256 * 1024 * 1024) {
    this.#bytesMax = bytesMax;
  }

  /** Shared: read-only. */
  of(path: string, { length, version }: { length: number; version: number }): Buffer {
    const seed = resourceSeed(path, version);
    const kept = this.#kept.get(seed);
    if (kept !== undefined) return kept;
    const made = patternBytes(seed, 0, length);
    this.#kept.set(seed, made);
    this.#bytes += length;
    for (const [oldest, bytes] of this.#kept) {
      if (this.#bytes <= this.#bytesMax || oldest === seed) break;
      this.#kept.delete(oldest);
      this.#bytes -= bytes.length;
    }
    return made;
  }
}
