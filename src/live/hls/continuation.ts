import { epochParameter } from '../../cache/types.ts';
import {
  datesOf,
  type HlsBlocks,
  has,
  hasOpenRange,
  isUri,
  joinPlaylist,
  numberOf,
  secondsOf,
  setupAfter,
  splitPlaylist,
} from './hls-blocks.ts';
import { startOf } from './restart-point.ts';

/**
 * How a channel goes on after its origin began its numbers anew. Viewers get `offset` more than the origin's media sequence
 * numbers and `discontinuities` more than its discontinuity sequence; `from` is the first number of the new media for them.
 */
interface Mark {
  readonly from: number;
  readonly offset: number;
  readonly discontinuities: number;
}

interface ContinueOptions {
  /** Whether a URI of the playlist is an origin's: then it is told apart from the same name of before. */
  readonly isOurs: (uri: string) => boolean;
  /** By how much another rendition's numbers are moved; by its URI. */
  readonly offsetOf: (uri: string) => number;
}

interface RestartOptions extends ContinueOptions {
  /** Since the newest media of before were first seen. */
  readonly elapsedMs: number;
}

/** A comment in the playlist says it, so that every node that gets the playlist knows. */
const markPattern = /^#EDDY-CONTINUED:FROM=(\d{1,15}),OFFSET=(\d{1,15}),DISCONTINUITIES=(-?\d{1,15})\r?$/m;

/** Segments of before the restart that players at the end of the playlist still need. */
const keptMin = 3;

/** By how much the media sequence numbers of a playlist are higher than its origin's. */
export function offsetIn(playlist: Buffer): number {
  return playlist.includes('#EDDY-CONTINUED:') ? (markOf(playlist.toString('latin1'))?.offset ?? 0) : 0;
}

/**
 * The origin's playlist as viewers get it, who have `before`: identical where its numbers never began anew, or where it was
 * continued by another node already. Both in latin1.
 */
export function continued(came: string, before: string, options: ContinueOptions): string {
  const mark = markOf(before);
  if (mark === undefined || markOf(came) !== undefined) return came;
  const old = splitPlaylist(before);
  const oldFirst = firstOf(old);
  const now = splitPlaylist(came);
  const added = firstOf(now) + now.segments.length + mark.offset - oldFirst - old.segments.length;
  const oldCount = Math.max(0, mark.from - oldFirst);
  const kept = Math.max(0, Math.min(oldCount, oldCount - added));
  const tail = lastOf(old.segments.slice(0, oldCount), kept);
  return joined(now, { mark, tail, before: old, ...options });
}

/**
 * A playlist whose numbers began anew, behind the media that viewers had before: with higher numbers, and a discontinuity in
 * between. What both have, by its date or by the time that has passed, is left out. Undefined: it has nothing new yet.
 */
export function restarted(came: string, before: string, options: RestartOptions): string | undefined {
  const old = closed(splitPlaylist(before));
  const now = splitPlaylist(came);
  const start = startOf(now, old, options.elapsedMs);
  if (start === undefined) return undefined;
  const from = firstOf(old) + old.segments.length;
  const discontinuities =
    discontinuitiesOf(old) + countIn(old.segments) + 1 - discontinuitiesOf(now) - countIn(blocksTo(now, start));
  const mark = { from, offset: from - firstOf(now) - start, discontinuities };
  const windowMs = old.segments.reduce((sum, each) => sum + secondsOf(each) * 1000, 0);
  const shown = now.segments.length - start;
  // Nobody has what left the window while nothing came.
  const kept = options.elapsedMs > 2 * windowMs ? 0 : Math.max(old.segments.length - shown, keptMin);
  return joined(now, { mark, tail: lastOf(old.segments, kept), before: old, ...options });
}

interface JoinOptions extends ContinueOptions {
  readonly mark: Mark;
  /** Segments of before that stay. */
  readonly tail: HlsBlocks['segments'];
  readonly before: HlsBlocks;
}

function joined(now: HlsBlocks, { mark, tail, before, isOurs, offsetOf }: JoinOptions): string {
  const { from, offset } = mark;
  const first = firstOf(now);
  const hidden = Math.max(0, from - offset - first);
  const { rest, segments } = renamed(now, { epoch: from, isOurs, offsetOf });
  const slid = first + offset > from;
  // Before its first new number it began anew once more: whoever reads it will tell.
  if (hidden > segments.length) return joinPlaylist({ head: headOf(now, first + offset, 0, mark), segments, rest });
  if (slid) {
    const discontinuity = discontinuitiesOf(now) + mark.discontinuities;
    return joinPlaylist({ head: headOf(now, first + offset, discontinuity, mark), segments, rest });
  }
  const kept = withoutOpenRange(tail);
  const discontinuity =
    discontinuitiesOf(now) + mark.discontinuities + countIn(blocksTo(now, hidden)) - 1 - countIn(kept);
  const shown = [...segments.slice(hidden), rest];
  const all = [...segments, rest];
  shown[0] = opened(shown[0] ?? [], { skipped: all.slice(0, hidden).flat(), date: datesOf(now)[hidden], tail: kept });
  const old = withSetup(kept, before);
  return joinPlaylist({
    head: headOf(now, from - kept.length, discontinuity, mark),
    segments: [...old, ...shown.slice(0, -1)],
    rest: shown.at(-1) ?? [],
  });
}

/** The first new segment: after a discontinuity, with all that counts for it. */
function opened(
  lines: readonly string[],
  about: { skipped: readonly string[]; date: number | undefined; tail: HlsBlocks['segments'] },
): readonly string[] {
  const setup = setupAfter(about.skipped).filter((line) => !has(lines, line.slice(1).split(':', 1)[0] ?? ''));
  const encrypted = has([...setup, ...lines], 'EXT-X-KEY');
  const wasEncrypted = about.tail.some((each) => has(each, 'EXT-X-KEY'));
  return [
    ...(has(lines, 'EXT-X-DISCONTINUITY') ? [] : ['#EXT-X-DISCONTINUITY']),
    ...(wasEncrypted && !encrypted ? ['#EXT-X-KEY:METHOD=NONE'] : []),
    ...setup,
    ...(has(lines, 'EXT-X-PROGRAM-DATE-TIME') || about.date === undefined
      ? []
      : [`#EXT-X-PROGRAM-DATE-TIME:${new Date(about.date).toISOString()}`]),
    ...lines,
  ];
}

/** The first segment that stays names the key and the initialization section that it has. */
function withSetup(tail: HlsBlocks['segments'], before: HlsBlocks): HlsBlocks['segments'] {
  const [first, ...others] = tail;
  if (first === undefined) return tail;
  const skipped = before.segments.slice(0, before.segments.indexOf(first)).flat();
  const setup = setupAfter(skipped).filter((line) => !has(first, line.slice(1).split(':', 1)[0] ?? ''));
  return setup.length === 0 ? tail : [[...setup, ...first], ...others];
}

/** A byte range without offset says nothing without the one before it. */
function withoutOpenRange(tail: HlsBlocks['segments']): HlsBlocks['segments'] {
  const first = tail.findIndex((lines) => !hasOpenRange(lines));
  return first < 0 ? [] : tail.slice(first);
}

/** A segment that was never completed becomes one that is missing: its parts stay, and its number is not used again. */
function closed(old: HlsBlocks): HlsBlocks {
  const seconds = secondsOf(old.rest);
  if (seconds === 0) return { ...old, rest: [] };
  const parts = old.rest.filter((line) =>
    /^#EXT-X-(?:PART|PROGRAM-DATE-TIME|DISCONTINUITY|KEY|MAP)(?::|\s*$)/.test(line),
  );
  const uri = /URI="([^"]*)"/.exec(parts.findLast((line) => line.startsWith('#EXT-X-PART:')) ?? '')?.[1] ?? 'missing';
  const segment = [...parts, '#EXT-X-GAP', `#EXTINF:${seconds.toFixed(5)},`, uri];
  return { ...old, segments: [...old.segments, segment], rest: [] };
}

/** With names of their own: players and caches may have other media under the same. */
function renamed(
  { segments, rest }: HlsBlocks,
  { epoch, isOurs, offsetOf }: ContinueOptions & { epoch: number },
): Pick<HlsBlocks, 'segments' | 'rest'> {
  const named = (uri: string): string => {
    if (!isOurs(uri)) return uri;
    const [path = '', fragment] = uri.split('#', 2);
    const query = `${path.includes('?') ? '&' : '?'}${epochParameter}=${epoch}`;
    return `${path}${query}${fragment === undefined ? '' : `#${fragment}`}`;
  };
  const line = (each: string): string => {
    if (isUri(each)) return each.replace(each.trim(), () => named(each.trim()));
    if (/^#EXT-X-(?:MAP|PART|PRELOAD-HINT):/.test(each))
      return each.replace(/([:,]URI=")([^"]*)"/, (_, start: string, uri: string) => `${start}${named(uri)}"`);
    if (!each.startsWith('#EXT-X-RENDITION-REPORT:')) return each;
    const offset = offsetOf(/[:,]URI="([^"]*)"/.exec(each)?.[1] ?? '');
    return each.replace(
      /([:,]LAST-MSN=)(\d{1,15})/,
      (_, start: string, last: string) => start + (Number(last) + offset),
    );
  };
  return { segments: segments.map((lines) => lines.map(line)), rest: rest.map(line) };
}

function headOf({ head }: HlsBlocks, first: number, discontinuity: number, mark: Mark): string[] {
  const kept = head.filter((line) => !/^#EXT-X-(?:MEDIA|DISCONTINUITY)-SEQUENCE:/.test(line));
  const own = [
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    `#EXT-X-DISCONTINUITY-SEQUENCE:${Math.max(0, discontinuity)}`,
    `#EDDY-CONTINUED:FROM=${mark.from},OFFSET=${mark.offset},DISCONTINUITIES=${mark.discontinuities}`,
  ];
  // An empty last line ends the one before it.
  return kept.at(-1) === '' ? [...kept.slice(0, -1), ...own, ''] : [...kept, ...own];
}

function markOf(text: string): Mark | undefined {
  const [, from, offset, discontinuities] = markPattern.exec(text) ?? [];
  if (from === undefined) return undefined;
  return { from: Number(from), offset: Number(offset), discontinuities: Number(discontinuities) };
}

const firstOf = ({ head }: HlsBlocks): number => numberOf(head, 'EXT-X-MEDIA-SEQUENCE') ?? 0;
const discontinuitiesOf = ({ head }: HlsBlocks): number => numberOf(head, 'EXT-X-DISCONTINUITY-SEQUENCE') ?? 0;
const lastOf = (segments: HlsBlocks['segments'], count: number): HlsBlocks['segments'] =>
  count <= 0 ? [] : segments.slice(-count);
/** Those up to that one and with it; the rest counts as the one after the last. */
const blocksTo = ({ segments, rest }: HlsBlocks, at: number): HlsBlocks['segments'] =>
  [...segments, rest].slice(0, at + 1);
const countIn = (blocks: HlsBlocks['segments']): number =>
  blocks.filter((lines) => has(lines, 'EXT-X-DISCONTINUITY')).length;
