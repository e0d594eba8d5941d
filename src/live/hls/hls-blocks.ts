/** Tags that belong to the segment after them (RFC 8216bis section 4.4.4); parts belong to the one they are of. */
const segmentTag =
  /^#(?:EXTINF|EXT-X-(?:BYTERANGE|DISCONTINUITY|KEY|MAP|PROGRAM-DATE-TIME|GAP|BITRATE|PART|CUE[A-Z-]*|PREFETCH[A-Z-]*))(?::|$)/;

/** Whether a line is about a segment, and not about the playlist. */
export function isOfSegment(line: string): boolean {
  const bare = line.trimEnd();
  return segmentTag.test(bare) || isUri(bare);
}

export function isUri(line: string): boolean {
  return !line.startsWith('#') && line.trim() !== '';
}

/** The lines of a media playlist, by what they are about. Joined again they are the playlist. */
export interface HlsBlocks {
  readonly head: readonly string[];
  /** Of each complete segment, its URI the last. */
  readonly segments: readonly (readonly string[])[];
  /** What comes after those: parts of the next one, hints, reports. */
  readonly rest: readonly string[];
}

export function splitPlaylist(text: string): HlsBlocks {
  const lines = text.split('\n');
  const found = lines.findIndex(isOfSegment);
  const start = found < 0 ? lines.length : found;
  const segments: string[][] = [];
  let from = start;
  for (let at = start; at < lines.length; at++) {
    if (!isUri(lines[at] ?? '')) continue;
    segments.push(lines.slice(from, at + 1));
    from = at + 1;
  }
  return { head: lines.slice(0, start), segments, rest: lines.slice(from) };
}

export function joinPlaylist({ head, segments, rest }: HlsBlocks): string {
  return [...head, ...segments.flat(), ...rest].join('\n');
}

/** The value of a tag that is a number; undefined where there is none. */
export function numberOf(lines: readonly string[], tag: string): number | undefined {
  const line = lines.find((each) => each.startsWith(`#${tag}:`));
  const value = line === undefined ? Number.NaN : Number.parseInt(line.slice(tag.length + 2), 10);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

export function has(lines: readonly string[], tag: string): boolean {
  return lines.some((line) => line.startsWith(`#${tag}`) && /^(?::|\s*$)/.test(line.slice(tag.length + 1)));
}

/** Seconds of a segment, or of the parts that are listed without one. */
export function secondsOf(lines: readonly string[]): number {
  const whole = lines.find((line) => line.startsWith('#EXTINF:'));
  if (whole !== undefined) return positive(Number.parseFloat(whole.slice('#EXTINF:'.length)));
  const parts = lines.map((line) => /^#EXT-X-PART:(?:.*,)?DURATION=([\d.]+)/.exec(line)?.[1]);
  return parts.reduce((sum, each) => sum + positive(Number(each ?? 0)), 0);
}

/**
 * When each segment begins, and the rest: epoch milliseconds, undefined before the first EXT-X-PROGRAM-DATE-TIME, and where
 * it would be no time of ECMAScript's.
 */
export function datesOf({ segments, rest }: HlsBlocks): (number | undefined)[] {
  let next: number | undefined;
  return [...segments, rest].map((lines) => {
    const line = lines.find((each) => each.startsWith('#EXT-X-PROGRAM-DATE-TIME:'));
    const stated = line === undefined ? Number.NaN : Date.parse(line.slice('#EXT-X-PROGRAM-DATE-TIME:'.length).trim());
    const date = Number.isNaN(stated) ? next : stated;
    const end = date === undefined ? Number.NaN : date + secondsOf(lines) * 1000;
    next = Math.abs(end) <= epochMsMax ? end : undefined;
    return date;
  });
}

/** The range of Date (ECMAScript, section 21.4.1.1). */
const epochMsMax = 8.64e15;

/** Keys and the initialization section that still count after these lines (sections 4.4.4.4 and 4.4.4.5). */
export function setupAfter(lines: readonly string[]): readonly string[] {
  let [keys, map]: [string[], string[]] = [[], []];
  let inKeys = false;
  for (const line of lines) {
    const isKey = line.startsWith('#EXT-X-KEY:');
    if (isKey) keys = inKeys ? [...keys, line] : [line];
    if (line.startsWith('#EXT-X-MAP:')) map = [line];
    // Keys for several systems stand one after the other.
    inKeys = isKey;
  }
  return [...keys, ...map];
}

/** Whether the byte range of a segment has no offset: then it says nothing without the one before. */
export function hasOpenRange(lines: readonly string[]): boolean {
  return lines.some((line) => line.startsWith('#EXT-X-BYTERANGE:') && !line.includes('@'));
}

function positive(value: number): number {
  return value > 0 ? value : 0;
}
