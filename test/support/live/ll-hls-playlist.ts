import type { Rendition } from './rendition.ts';

/** How parts and the segments they belong to are named. */
export type PartAddressing = 'files' | 'byte ranges';

/** Everything a low-latency media playlist follows from. */
export interface LowLatencyState {
  readonly rendition: Rendition;
  /** Parts that have ended: the version of the playlist. */
  readonly parts: number;
  readonly addressing: PartAddressing;
  /** Renditions that are reported on, with the parts that have ended there. */
  readonly reports: readonly { readonly rendition: Rendition; readonly parts: number }[];
  /** A Playlist Delta Update is wanted; `v2`: without old date ranges. */
  readonly skip: false | 'YES' | 'v2';
  /** Every fourth segment has a date range, which may be skipped. */
  readonly dateRanges: boolean;
  /** Segments are said to be encrypted, by two key formats, with another key for every eighth. */
  readonly keys: boolean;
  /** Media sequence number of the channel's first segment. */
  readonly firstSequence: number;
}

/** The same in all renditions (section 6.2.4), so audio's 19 frames must fit. */
export const partTargetSeconds = 0.41;

/** A media playlist by RFC 8216bis with parts, a preload hint and rendition reports. */
export function lowLatencyPlaylist(state: LowLatencyState): string {
  const { rendition, parts, firstSequence } = state;
  const { partsPerSegment, grid } = rendition;
  const complete = Math.floor(parts / partsPerSegment);
  const first = Math.max(0, complete - grid.windowSegments);
  const skipped = state.skip !== false ? skippable(rendition, { first, parts }) : 0;
  const lines = [
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    `#EXT-X-TARGETDURATION:${targetSeconds(rendition)}`,
    serverControl(state),
    `#EXT-X-PART-INF:PART-TARGET=${partTargetSeconds}`,
    `#EXT-X-MEDIA-SEQUENCE:${firstSequence + first}`,
    skipped > 0 ? skipTag(state, { skipped, first }) : '#EXT-X-MAP:URI="init.mp4"',
  ];
  for (let segment = first + skipped; segment < complete; segment++) {
    lines.push(...keyLines(state, { segment, isFirst: segment === first + skipped }));
    lines.push(...dateRangeLines(state, segment), programDateTime(rendition, segment));
    // Parts stay for three target durations (section 6.2.2).
    if (complete - segment <= 3) lines.push(...partLines(state, { segment, parts: partsPerSegment }));
    lines.push(`#EXTINF:${rendition.segmentSeconds(segment).toFixed(5)},`, `seg-${firstSequence + segment}.m4s`);
  }
  const open = parts - complete * partsPerSegment;
  if (open > 0)
    lines.push(programDateTime(rendition, complete), ...partLines(state, { segment: complete, parts: open }));
  lines.push(preloadHint(state, { segment: complete, part: open }));
  for (const report of state.reports) lines.push(renditionReport(report, firstSequence));
  return `${lines.join('\n')}\n`;
}

export function targetSeconds(rendition: Rendition): number {
  return Math.round(rendition.grid.segmentMs / 1000);
}

/** Section 4.4.3.8: the skip boundary is six target durations, the least that is allowed. */
function serverControl({ rendition, dateRanges }: LowLatencyState): string {
  const hold = (4 * partTargetSeconds).toFixed(2);
  return `#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=${skipSeconds(rendition).toFixed(1)},PART-HOLD-BACK=${hold}${dateRanges ? ',CAN-SKIP-DATERANGES=YES' : ''}`;
}

const skipSeconds = (rendition: Rendition): number => 6 * targetSeconds(rendition);

/** Segments that end further from the end of the playlist than the skip boundary. */
function skippable(rendition: Rendition, { first, parts }: { first: number; parts: number }): number {
  const boundaryMs = rendition.partStartMs(parts) - skipSeconds(rendition) * 1000;
  let segment = first;
  while (rendition.segmentStartMs(segment + 1) < boundaryMs) segment++;
  return segment - first;
}

const dateRangeEvery = 4;
const keyEvery = 8;

/** With the date ranges that went with the segments of the last window. */
function skipTag({ skip, dateRanges, firstSequence }: LowLatencyState, at: { skipped: number; first: number }): string {
  const { skipped, first } = at;
  const gone: string[] = [];
  for (let segment = Math.max(0, first - 10); segment < first; segment++)
    if (segment % dateRangeEvery === 0) gone.push(`ad-${firstSequence + segment}`);
  const removed = skip === 'v2' && dateRanges ? `,RECENTLY-REMOVED-DATERANGES="${gone.join('\t')}"` : '';
  return `#EXT-X-SKIP:SKIPPED-SEGMENTS=${skipped}${removed}`;
}

function dateRangeLines({ rendition, dateRanges, firstSequence }: LowLatencyState, segment: number): string[] {
  if (!dateRanges || segment % dateRangeEvery !== 0) return [];
  const date = new Date(Math.round(rendition.segmentStartMs(segment))).toISOString();
  return [
    `#EXT-X-DATERANGE:CLASS="a class, ID=none",ID="ad-${firstSequence + segment}",START-DATE="${date}",DURATION=2.0`,
  ];
}

/** Each key is said where it changes, and where a playlist begins. */
function keyLines({ keys, firstSequence }: LowLatencyState, at: { segment: number; isFirst: boolean }): string[] {
  const { segment, isFirst } = at;
  if (!keys || !(isFirst || segment % keyEvery === 0)) return [];
  const key = Math.floor(segment / keyEvery);
  const iv = `0x${(firstSequence + segment).toString(16).padStart(32, '0')}`;
  return [
    `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="key-${key}.bin",IV=${iv}`,
    `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://${key}",KEYFORMAT="com.apple.streamingkeydelivery",KEYFORMATVERSIONS="1"`,
  ];
}

function programDateTime(rendition: Rendition, segment: number): string {
  return `#EXT-X-PROGRAM-DATE-TIME:${new Date(Math.round(rendition.segmentStartMs(segment))).toISOString()}`;
}

function partLines(state: LowLatencyState, { segment, parts }: { segment: number; parts: number }): string[] {
  const { rendition, addressing, firstSequence } = state;
  const lines: string[] = [];
  let offset = 0;
  for (let part = 0; part < parts; part++) {
    const index = segment * rendition.partsPerSegment + part;
    const length = addressing === 'files' ? 0 : rendition.partBytes(index).length;
    const where =
      addressing === 'files'
        ? `URI="part-${firstSequence + segment}.${part}.m4s"`
        : `URI="seg-${firstSequence + segment}.m4s",BYTERANGE="${length}@${offset}"`;
    const independent = part === 0 || rendition.name === 'audio' ? ',INDEPENDENT=YES' : '';
    lines.push(`#EXT-X-PART:DURATION=${rendition.partSeconds(index).toFixed(5)},${where}${independent}`);
    offset += length;
  }
  return lines;
}

function preloadHint(state: LowLatencyState, { segment, part }: { segment: number; part: number }): string {
  const { rendition, addressing, firstSequence } = state;
  if (addressing === 'files') return `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-${firstSequence + segment}.${part}.m4s"`;
  let start = 0;
  for (let i = 0; i < part; i++) start += rendition.partBytes(segment * rendition.partsPerSegment + i).length;
  return `#EXT-X-PRELOAD-HINT:TYPE=PART,URI="seg-${firstSequence + segment}.m4s",BYTERANGE-START=${start}`;
}

/** The last part that is there: of a segment that has just ended, its last one (section 4.4.5.4). */
function renditionReport({ rendition, parts }: LowLatencyState['reports'][number], firstSequence: number): string {
  const last = Math.max(0, parts - 1);
  const sequence = firstSequence + Math.floor(last / rendition.partsPerSegment);
  const part = last % rendition.partsPerSegment;
  return `#EXT-X-RENDITION-REPORT:URI="../${rendition.name}/live.m3u8",LAST-MSN=${sequence},LAST-PART=${part}`;
}
