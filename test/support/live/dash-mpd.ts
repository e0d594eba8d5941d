import type { Rendition } from './rendition.ts';

/** How segments are addressed, and whether they are there while they are still being made. */
export type DashForm = 'number' | 'timeline' | 'low-latency';

/** A live MPD (ISO/IEC 23009-1): one period that began with the channel; media time 0 is the availability start. */
export function liveMpd(
  form: DashForm,
  { renditions, nowMs }: { renditions: readonly Rendition[]; nowMs: number },
): string {
  const [{ grid } = {}] = renditions;
  if (grid === undefined) throw new Error('a presentation needs a rendition');
  const seconds = (ms: number): string => `PT${(ms / 1000).toFixed(3)}S`;
  const low = form === 'low-latency';
  const attributes = [
    'xmlns="urn:mpeg:dash:schema:mpd:2011"',
    'type="dynamic"',
    'profiles="urn:mpeg:dash:profile:isoff-live:2011"',
    `availabilityStartTime="${new Date(grid.epochMs).toISOString()}"`,
    `publishTime="${new Date(publishedMs(form, { renditions, nowMs })).toISOString()}"`,
    `minimumUpdatePeriod="${seconds(grid.segmentMs)}"`,
    `minBufferTime="${seconds(low ? grid.partMs : grid.segmentMs)}"`,
    `timeShiftBufferDepth="${seconds(grid.windowSegments * grid.segmentMs)}"`,
    `suggestedPresentationDelay="${seconds(low ? 3 * grid.partMs : 3 * grid.segmentMs)}"`,
  ];
  const lines = ['<?xml version="1.0" encoding="utf-8"?>', `<MPD ${attributes.join(' ')}>`];
  if (low)
    lines.push('  <ServiceDescription id="0"><Latency target="1500" min="1000" max="4000"/></ServiceDescription>');
  lines.push('  <Period id="0" start="PT0S">');
  for (const rendition of renditions) lines.push(...adaptationSet(form, { rendition, nowMs }));
  lines.push('  </Period>', '  <UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="time.txt"/>', '</MPD>');
  return `${lines.join('\n')}\n`;
}

/** A timeline is another one with each segment; what goes by number stays as it was. */
function publishedMs(
  form: DashForm,
  { renditions, nowMs }: { renditions: readonly Rendition[]; nowMs: number },
): number {
  const starts = renditions.map((each) => each.segmentStartMs(complete(each, nowMs)));
  const [{ grid } = { grid: { epochMs: nowMs } }] = renditions;
  return form === 'timeline' ? Math.max(...starts) : grid.epochMs;
}

const complete = (rendition: Rendition, nowMs: number): number =>
  Math.floor(rendition.partsEnded(nowMs) / rendition.partsPerSegment);

function adaptationSet(form: DashForm, { rendition, nowMs }: { rendition: Rendition; nowMs: number }): string[] {
  const about =
    rendition.track.name === 'audio'
      ? {
          id: 1,
          type: 'audio',
          more: 'lang="en"',
          representation: 'codecs="mp4a.40.2" bandwidth="62000" audioSamplingRate="48000"',
        }
      : {
          id: 0,
          type: 'video',
          more: 'par="16:9"',
          representation: 'codecs="avc1.4D401E" bandwidth="420000" width="640" height="360" frameRate="25"',
        };
  return [
    `    <AdaptationSet id="${about.id}" contentType="${about.type}" mimeType="${about.type}/mp4" segmentAlignment="true" startWithSAP="1" ${about.more}>`,
    `      <Representation id="${rendition.name}" ${about.representation}>`,
    ...template(form, { rendition, nowMs }).map((line) => `        ${line}`),
    '      </Representation>',
    '    </AdaptationSet>',
  ];
}

function template(form: DashForm, { rendition, nowMs }: { rendition: Rendition; nowMs: number }): string[] {
  const { grid, track, name } = rendition;
  const common = `timescale="${track.timescale}" initialization="$RepresentationID$/init.mp4"`;
  const duration = `duration="${(grid.segmentMs * track.timescale) / 1000}" startNumber="0"`;
  if (form === 'number') return [`<SegmentTemplate ${common} ${duration} media="$RepresentationID$/$Number$.m4s"/>`];
  if (form === 'low-latency') {
    // A segment can be asked for once its first part has ended, which audio does up to a frame later than the grid says.
    const offset = (grid.segmentMs - grid.partMs - 50) / 1000;
    const early = `availabilityTimeOffset="${offset}" availabilityTimeComplete="false"`;
    return [`<SegmentTemplate ${common} ${duration} ${early} media="${name}/chunked-$Number$.m4s"/>`];
  }
  const last = complete(rendition, nowMs) - 1;
  const lines = [`<SegmentTemplate ${common} media="$RepresentationID$/time-$Time$.m4s">`, '  <SegmentTimeline>'];
  for (let segment = Math.max(0, last + 1 - grid.windowSegments); segment <= last; segment++) {
    const start = rendition.segmentTicks(segment);
    lines.push(`    <S t="${start}" d="${rendition.segmentTicks(segment + 1) - start}"/>`);
  }
  return [...lines, '  </SegmentTimeline>', '</SegmentTemplate>'];
}
