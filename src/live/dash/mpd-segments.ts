import type { Span } from '../../semantics/content-range.ts';
import type { Announced } from '../manifest.ts';
import { type MpdRepresentation, resolved } from './mpd-representations.ts';
import { fillTemplate } from './mpd-template.ts';
import { evenSpans, type SegmentSpan, type SegmentSpans, timelineSpans } from './mpd-timeline.ts';
import type { MpdElement } from './mpd-xml.ts';

/** The segments of one representation in one period. */
export interface Segments {
  readonly representation: MpdRepresentation;
  /** Initialization section and index, where they are named. */
  readonly before: readonly Announced[];
  readonly spans: SegmentSpans | undefined;
  /** Each segment has an entry of its own: another one is another version of the MPD. */
  readonly listed: boolean;
  /** Number of a segment where segments are numbered, else its time. */
  sequence(span: SegmentSpan): number;
  /** Seconds from the start of the period to the end of that segment. */
  endSeconds(span: SegmentSpan): number;
  durationSeconds(span: SegmentSpan): number;
  /** Undefined where the URL is not understood. */
  announce(span: SegmentSpan): Announced | undefined;
  /** How many of them have ended, seconds after the start of the period. */
  endedBy(seconds: number): number;
}

/** Some 300 years: what lies beyond is a mistake. */
const secondsMax = 1e10;

export function segmentsOf(representation: MpdRepresentation): Segments {
  const { addressing } = representation;
  const timescale = Math.max(1, integerOf(addressing, 'timescale') ?? 1);
  const offset = bigintOf(addressing, 'presentationTimeOffset') ?? 0n;
  const startNumber = integerOf(addressing, 'startNumber') ?? 1;
  const spans = spansOf(representation, { timescale, offset });
  const media = textOf(addressing, 'media');
  const urls = addressing.find(({ children }) => children.some(({ name }) => name === 'SegmentURL'));
  const listed = urls?.children.filter(({ name }) => name === 'SegmentURL') ?? [];
  const durationSeconds = (span: SegmentSpan): number => span.durationTicks / timescale;
  const address = (span: SegmentSpan): Address | undefined => {
    if (representation.kind === 'SegmentTemplate')
      return media === undefined ? undefined : { template: media, number: startNumber + span.index, time: span.time };
    const each = listed[span.index];
    return each && { template: undefined, element: each };
  };
  return {
    representation,
    before: beforeOf(representation),
    spans,
    listed: representation.kind === 'SegmentList' || hasTimeline(addressing),
    sequence: ({ index, time }) => (media?.includes('$Time') === true ? Number(time) : startNumber + index),
    endSeconds: ({ time, durationTicks }) => Number(time - offset + BigInt(durationTicks)) / timescale,
    durationSeconds,
    announce: (span) => {
      const [where, durationOf] = [address(span), durationSeconds(span)];
      const at = where && locate(representation, where);
      return at && { role: 'segment', ...at, durationSeconds: durationOf, rendition: representation.rendition };
    },
    endedBy: (seconds) => {
      const bounded = Math.min(seconds, secondsMax);
      const time = Math.floor(bounded * timescale);
      return spans === undefined || !Number.isFinite(time) || time < 0 ? 0 : spans.endedBy(offset + BigInt(time));
    },
  };
}

function hasTimeline(addressing: readonly MpdElement[]): boolean {
  return addressing.some(({ children }) => children.some(({ name }) => name === 'SegmentTimeline'));
}

type Address =
  | { readonly template: string; readonly number: number; readonly time: bigint }
  | { readonly template: undefined; readonly element: MpdElement };

function spansOf(
  { addressing, kind, period }: MpdRepresentation,
  { timescale, offset }: { timescale: number; offset: bigint },
): SegmentSpans | undefined {
  if (kind === 'SegmentBase') return undefined;
  const periodTicks = period.durationSeconds === undefined ? undefined : Math.ceil(period.durationSeconds * timescale);
  const timelines = addressing.flatMap(({ children }) => children.filter(({ name }) => name === 'SegmentTimeline'));
  const listed = addressing.flatMap(({ children }) => children.filter(({ name }) => name === 'SegmentURL')).length;
  const [timeline] = timelines;
  if (timeline !== undefined) {
    const endTime = periodTicks === undefined ? undefined : offset + BigInt(periodTicks);
    return timelineSpans(timeline.timeline, endTime);
  }
  const duration = integerOf(addressing, 'duration');
  if (duration === undefined || duration <= 0)
    return kind === 'SegmentList' && listed === 1
      ? evenSpans({ firstTime: offset, durationTicks: Math.max(1, periodTicks ?? 1), count: 1 })
      : undefined;
  // A rest shorter than a hundredth of a segment is the rounding of durations, and no segment.
  const inPeriod =
    periodTicks === undefined ? Number.POSITIVE_INFINITY : Math.ceil(Math.max(0, periodTicks / duration - 0.01));
  const count = kind === 'SegmentList' ? Math.min(listed, inPeriod) : inPeriod;
  return evenSpans({ firstTime: offset, durationTicks: duration, count });
}

function locate(representation: MpdRepresentation, address: Address): { url: string; range?: Span } | undefined {
  const { base, id: representationId, bandwidth } = representation;
  if (address.template !== undefined) {
    const { template, number, time } = address;
    const reference = fillTemplate(template, { representationId, bandwidth, number, time });
    return located(base, reference);
  }
  const { attributes } = address.element;
  return located(base, attributes.get('media')?.value ?? '', attributes.get('mediaRange')?.value);
}

function located(
  base: string,
  reference: string | undefined,
  rangeText?: string,
): { url: string; range?: Span } | undefined {
  const url = reference === undefined ? undefined : resolved(reference, base);
  if (url === undefined || rangeText === undefined) return url === undefined ? undefined : { url };
  const [, first, last] = /^(\d{1,15})-(\d{1,15})$/.exec(rangeText.trim()) ?? [];
  if (first === undefined || last === undefined || Number(last) < Number(first)) return undefined;
  return { url, range: { first: Number(first), last: Number(last) } };
}

/** The initialization section, and for a single file its segment index. */
function beforeOf(representation: MpdRepresentation): Announced[] {
  const { addressing, base, bandwidth, id: representationId, rendition } = representation;
  const before: Announced[] = [];
  const child = (name: string): MpdElement | undefined =>
    addressing.flatMap(({ children }) => children).find((each) => each.name === name);
  const initialization = child('Initialization');
  const template = textOf(addressing, 'initialization');
  const values = { representationId, bandwidth, number: undefined, time: undefined };
  const byTemplate = template === undefined ? undefined : located(base, fillTemplate(template, values));
  const init = initialization === undefined ? byTemplate : fromElement(initialization, base);
  if (init !== undefined) before.push({ role: 'init', ...init, rendition });
  const indexRange = textOf(addressing, 'indexRange');
  const index = indexRange === undefined ? undefined : located(base, '', indexRange);
  if (index !== undefined && representation.kind === 'SegmentBase') before.push({ role: 'other', ...index, rendition });
  return before;
}

function fromElement({ attributes }: MpdElement, base: string): ReturnType<typeof located> {
  return located(base, attributes.get('sourceURL')?.value ?? '', attributes.get('range')?.value);
}

function textOf(addressing: readonly MpdElement[], name: string): string | undefined {
  return addressing.find(({ attributes }) => attributes.has(name))?.attributes.get(name)?.value;
}

function integerOf(addressing: readonly MpdElement[], name: string): number | undefined {
  const text = textOf(addressing, name)?.trim();
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function bigintOf(addressing: readonly MpdElement[], name: string): bigint | undefined {
  const text = textOf(addressing, name)?.trim();
  return text !== undefined && /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
}
