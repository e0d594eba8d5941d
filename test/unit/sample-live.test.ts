import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type LiveChannel,
  livePlaylist,
  livePlaylistSinceMs,
  liveSegment,
  windowSegments,
} from '../../src/sample/live.ts';
import { fuzzSeed } from '../support/fuzz.ts';

const epochMs = Date.UTC(2026, 0, 1);
/** Four segments, 8 s a round; the last one is shorter, as last ones are. */
const channel: LiveChannel = { epochMs, durationsMs: [2000, 2500, 2000, 1500] };
const roundMs = 8000;

interface Listed {
  readonly sequence: number;
  readonly durationMs: number;
  readonly discontinuity: boolean;
  /** By RFC 8216 section 6.2.1. */
  readonly discontinuitySequence: number;
  readonly programMs: number | undefined;
}

/** Reads a media playlist as a player does. */
function listed(playlist: string): { mediaSequence: number; targetMs: number; segments: Listed[] } {
  const segments: Listed[] = [];
  let [mediaSequence, discontinuitySequence, targetMs] = [Number.NaN, Number.NaN, Number.NaN];
  let [durationMs, discontinuity] = [0, false];
  let programMs: number | undefined;
  for (const line of playlist.trimEnd().split('\n')) {
    const [tag = '', ...rest] = line.split(':');
    const value = rest.join(':');
    if (tag === '#EXT-X-MEDIA-SEQUENCE') mediaSequence = Number(value);
    else if (tag === '#EXT-X-DISCONTINUITY-SEQUENCE') discontinuitySequence = Number(value);
    else if (tag === '#EXT-X-TARGETDURATION') targetMs = Number(value) * 1000;
    else if (tag === '#EXT-X-PROGRAM-DATE-TIME') programMs = Date.parse(value);
    else if (tag === '#EXTINF') durationMs = Math.round(Number.parseFloat(value) * 1000);
    else if (tag === '#EXT-X-DISCONTINUITY') {
      discontinuity = true;
      discontinuitySequence++;
    } else if (!tag.startsWith('#')) {
      expect(line).toBe(`seg-${mediaSequence + segments.length}.ts`);
      const sequence = mediaSequence + segments.length;
      segments.push({ sequence, durationMs, discontinuity, discontinuitySequence, programMs });
      discontinuity = false;
      programMs = undefined;
    }
  }
  return { mediaSequence, targetMs, segments };
}

const at = (ms: number) => listed(livePlaylist(epochMs + ms, channel));

describe('the live playlist', () => {
  it('is this, word for word, across the first loop point', () => {
    expect(livePlaylist(epochMs + roundMs + 2000, channel)).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:6',
        '#EXT-X-TARGETDURATION:3',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-DISCONTINUITY-SEQUENCE:0',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z',
        ...['#EXTINF:2.000,', 'seg-0.ts', '#EXTINF:2.500,', 'seg-1.ts', '#EXTINF:2.000,', 'seg-2.ts'],
        ...['#EXTINF:1.500,', 'seg-3.ts'],
        '#EXT-X-DISCONTINUITY',
        '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:08.000Z',
        ...['#EXTINF:2.000,', 'seg-4.ts', ''],
      ].join('\n'),
    );
  });

  it('lists a segment once it has ended, not a millisecond before', () => {
    expect(at(1999).segments).toEqual([]);
    expect(at(2000).segments.map(({ sequence }) => sequence)).toEqual([0]);
    expect(at(roundMs - 1).segments.at(-1)?.sequence).toBe(2);
    expect(at(roundMs).segments.at(-1)?.sequence).toBe(3);
  });

  it('is empty on a clock before the epoch', () => {
    expect(at(-1).segments).toEqual([]);
  });

  it('keeps the discontinuity of a segment that has come to be the first, and counts it once it is gone', () => {
    // Sequence 8 begins the third round; it is first in the window when 13 has ended.
    const first = livePlaylist(epochMs + 3 * roundMs + 4500, channel);
    expect(first).toContain('#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n');
    expect(first).toMatch(/SEGMENTS\n#EXT-X-DISCONTINUITY\n/);
    const gone = livePlaylist(epochMs + 3 * roundMs + 6500, channel);
    expect(gone).toContain('#EXT-X-MEDIA-SEQUENCE:9\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n');
  });

  it('moves only forward and never changes what it once said of a segment', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2e12 }), fc.integer({ min: 0, max: 20_000 }), (ms, laterMs) => {
        const [before, after] = [at(ms), at(ms + laterMs)];
        expect(after.mediaSequence).toBeGreaterThanOrEqual(before.mediaSequence);
        expect(after.segments.length).toBe(Math.min(windowSegments, (after.segments.at(-1)?.sequence ?? -1) + 1));
        for (const old of before.segments) {
          const now = after.segments.find(({ sequence }) => sequence === old.sequence);
          if (now === undefined) continue;
          expect(now.discontinuitySequence).toBe(old.discontinuitySequence);
          expect(now.durationMs).toBe(old.durationMs);
          expect(now.discontinuity).toBe(old.sequence > 0 && old.sequence % 4 === 0);
        }
      }),
      { seed: fuzzSeed, numRuns: 2000 },
    );
  });

  it('dates segments so that each begins where the one before ended, and the last ended just now', () => {
    fc.assert(
      fc.property(fc.integer({ min: roundMs, max: 2e12 }), (ms) => {
        const { segments, targetMs } = at(ms);
        let endMs = segments[0]?.programMs ?? Number.NaN;
        for (const segment of segments) {
          expect(segment.programMs ?? endMs).toBe(endMs);
          expect(Math.round(segment.durationMs / 1000) * 1000).toBeLessThanOrEqual(targetMs);
          endMs += segment.durationMs;
        }
        expect(endMs).toBeLessThanOrEqual(epochMs + ms);
        expect(epochMs + ms - endMs).toBeLessThan(2500);
        expect(livePlaylistSinceMs(epochMs + ms, channel)).toBe(endMs);
      }),
      { seed: fuzzSeed, numRuns: 2000 },
    );
  });
});

describe('a live segment', () => {
  it('is there from when it is listed until a playlist and a segment after it left', () => {
    const nowMs = epochMs + 100 * roundMs;
    // 400 segments have ended: 394 to 399 are listed.
    expect(liveSegment(399, nowMs, channel)).toBe(3);
    expect(liveSegment(394, nowMs, channel)).toBe(2);
    expect(liveSegment(387, nowMs, channel)).toBe(3);
    expect(liveSegment(400, nowMs, channel)).toBeUndefined();
    expect(liveSegment(386, nowMs, channel)).toBeUndefined();
  });

  it('is not there for numbers that are none', () => {
    for (const sequence of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(liveSegment(sequence, epochMs + roundMs, channel)).toBeUndefined();
  });

  it('is there whenever a playlist lists it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2e12 }), (ms) => {
        for (const { sequence } of at(ms).segments)
          expect(liveSegment(sequence, epochMs + ms, channel)).toBe(sequence % 4);
      }),
      { seed: fuzzSeed, numRuns: 500 },
    );
  });
});
