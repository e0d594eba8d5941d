/** An endless channel made by repeating the same segments. What is on is a matter of the clock alone. */
export interface LiveChannel {
  /** When the first segment of the first round began. */
  readonly epochMs: number;
  /** Of the segments of one round, in order. */
  readonly durationsMs: readonly number[];
}

/** Segments in the playlist. */
export const windowSegments = 6;

/** The media playlist at that moment (RFC 8216 section 4.3). Segment URIs are `seg-<media sequence number>.ts`. */
export function livePlaylist(nowMs: number, channel: LiveChannel): string {
  const { first, last } = liveWindow(nowMs, channel);
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:6',
    `#EXT-X-TARGETDURATION:${Math.round(Math.max(...channel.durationsMs) / 1000)}`,
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${discontinuitySequence(first, channel)}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
  ];
  for (let sequence = first; sequence <= last; sequence++) {
    const starts = startsRound(sequence, channel);
    if (starts) lines.push('#EXT-X-DISCONTINUITY');
    if (starts || sequence === first)
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(segmentStartMs(sequence, channel)).toISOString()}`);
    lines.push(`#EXTINF:${(durationMs(sequence, channel) / 1000).toFixed(3)},`, `seg-${sequence}.ts`);
  }
  return `${lines.join('\n')}\n`;
}

/** When the playlist of that moment came to be: its last segment had just ended. */
export function livePlaylistSinceMs(nowMs: number, channel: LiveChannel): number {
  const { last } = liveWindow(nowMs, channel);
  return segmentStartMs(last + 1, channel);
}

/**
 * Which segment of the round has that media sequence number; undefined before it has ended, and once it has left the
 * playlist for as long as a playlist and a segment last (RFC 8216 section 6.2.2).
 */
export function liveSegment(sequence: number, nowMs: number, channel: LiveChannel): number | undefined {
  if (!Number.isSafeInteger(sequence)) return undefined;
  const { first, last } = liveWindow(nowMs, channel);
  if (sequence < Math.max(0, first - windowSegments - 1) || sequence > last) return undefined;
  return sequence % channel.durationsMs.length;
}

/** First and last media sequence number in the playlist; last < first before anything has ended. */
function liveWindow(nowMs: number, { epochMs, durationsMs }: LiveChannel): { first: number; last: number } {
  const elapsedMs = Math.max(0, nowMs - epochMs);
  const rounds = Math.floor(elapsedMs / sum(durationsMs));
  let endMs = rounds * sum(durationsMs);
  let ended = rounds * durationsMs.length;
  for (const each of durationsMs) {
    endMs += each;
    if (endMs > elapsedMs) break;
    ended++;
  }
  return { first: Math.max(0, ended - windowSegments), last: ended - 1 };
}

/** A playlist's first segment has this number less the tag in front of it (RFC 8216 section 6.2.1). */
function discontinuitySequence(first: number, channel: LiveChannel): number {
  const rounds = Math.floor(first / channel.durationsMs.length);
  return startsRound(first, channel) ? rounds - 1 : rounds;
}

/** The first round follows nothing, so nothing is discontinued there. */
function startsRound(sequence: number, { durationsMs }: LiveChannel): boolean {
  return sequence > 0 && sequence % durationsMs.length === 0;
}

function segmentStartMs(sequence: number, { epochMs, durationsMs }: LiveChannel): number {
  const rounds = Math.floor(sequence / durationsMs.length);
  return epochMs + rounds * sum(durationsMs) + sum(durationsMs.slice(0, sequence % durationsMs.length));
}

function durationMs(sequence: number, { durationsMs }: LiveChannel): number {
  return durationsMs[sequence % durationsMs.length] ?? 0;
}

const sum = (list: readonly number[]): number => list.reduce((total, each) => total + each, 0);
