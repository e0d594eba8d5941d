import { dateTimeMs, durationSeconds } from './mpd-time.ts';
import type { MpdElement } from './mpd-xml.ts';

/** A period on the time line of the presentation. */
interface MpdPeriod {
  readonly startSeconds: number;
  /** Undefined: open, the last one of a live stream. */
  readonly durationSeconds: number | undefined;
}

/** A representation with all that it takes from the levels above. */
export interface MpdRepresentation {
  readonly period: MpdPeriod;
  readonly id: string | undefined;
  readonly bandwidth: string | undefined;
  /** Its `id`, or its place in the MPD. */
  readonly rendition: string;
  /** What its URLs resolve against. */
  readonly base: string;
  readonly kind: 'SegmentTemplate' | 'SegmentList' | 'SegmentBase';
  /** The elements of that kind, those of the representation first. */
  readonly addressing: readonly MpdElement[];
  /** Seconds by which segments are there before their end; Infinity: always. */
  readonly availabilityTimeOffsetSeconds: number;
}

/** What the MPD element itself says. */
export interface MpdTerms {
  readonly dynamic: boolean;
  readonly availabilityStartMs: number | undefined;
  readonly minimumUpdateSeconds: number | undefined;
  readonly timeShiftBufferSeconds: number | undefined;
  readonly presentationSeconds: number | undefined;
}

export function mpdTerms(root: MpdElement): MpdTerms {
  const of = (name: string): string | undefined => root.attributes.get(name)?.value;
  return {
    dynamic: of('type') === 'dynamic',
    availabilityStartMs: dateTimeMs(of('availabilityStartTime')),
    minimumUpdateSeconds: durationSeconds(of('minimumUpdatePeriod')),
    timeShiftBufferSeconds: durationSeconds(of('timeShiftBufferDepth')),
    presentationSeconds: durationSeconds(of('mediaPresentationDuration')),
  };
}

/** All representations whose segments can be told, period by period. Remote elements (`xlink:href`) are left alone. */
export function mpdRepresentations(root: MpdElement, url: string): MpdRepresentation[] {
  const terms = mpdTerms(root);
  const found: MpdRepresentation[] = [];
  const periods = root.children.filter(({ name }) => name === 'Period');
  const top: Level = { base: below(url, root), offset: offsetOf(root), addressing: [] };
  let startSeconds: number | undefined = 0;
  for (const [at, element] of periods.entries()) {
    const period = periodOf(element, { next: periods[at + 1], startSeconds, terms });
    const { durationSeconds: lasts } = period ?? {};
    startSeconds = period && lasts && period.startSeconds + lasts;
    if (period === undefined || isRemote(element)) continue;
    const level = lower(top, element);
    for (const [set, adaptation] of childrenOf(element, 'AdaptationSet').entries())
      for (const [place, each] of childrenOf(adaptation, 'Representation').entries()) {
        const representation = lower(lower(level, adaptation), each);
        const made = isAltered(adaptation) || isAltered(each) ? undefined : finish(representation, each);
        if (made !== undefined && found.length < representationsMax)
          found.push({ ...made, period, rendition: made.id ?? `${set}.${place}` });
      }
  }
  return found;
}

const representationsMax = 1_024;

interface Level {
  /** Undefined: cannot be told. */
  readonly base: string | undefined;
  readonly offset: number | undefined;
  /** Segment information of this level and above, innermost first. */
  readonly addressing: readonly MpdElement[];
}

const addressingKinds = ['SegmentTemplate', 'SegmentList', 'SegmentBase'] as const;

function lower(level: Level, element: MpdElement): Level {
  const own = element.children.filter(({ name }) => addressingKinds.some((kind) => kind === name));
  return {
    base: below(level.base, element),
    offset: offsetOf(element) ?? level.offset,
    addressing: [...own, ...level.addressing],
  };
}

function finish(
  { base, offset, addressing }: Level,
  element: MpdElement,
): Omit<MpdRepresentation, 'period' | 'rendition'> | undefined {
  const kind = addressingKinds.find((each) => each === addressing[0]?.name);
  if (kind === undefined || base === undefined) return undefined;
  const ofKind = addressing.filter(({ name }) => name === kind);
  const own = ofKind.find(({ attributes }) => attributes.has('availabilityTimeOffset'));
  return {
    id: element.attributes.get('id')?.value,
    bandwidth: element.attributes.get('bandwidth')?.value,
    base,
    kind,
    addressing: ofKind,
    availabilityTimeOffsetSeconds: (own && secondsOf(own)) ?? offset ?? 0,
  };
}

function periodOf(
  element: MpdElement,
  { next, startSeconds, terms }: { next: MpdElement | undefined; startSeconds: number | undefined; terms: MpdTerms },
): MpdPeriod | undefined {
  const start = durationSeconds(element.attributes.get('start')?.value) ?? startSeconds;
  if (start === undefined) return undefined;
  const nextStart = durationSeconds(next?.attributes.get('start')?.value);
  const until = nextStart ?? (next === undefined ? terms.presentationSeconds : undefined);
  const duration = durationSeconds(element.attributes.get('duration')?.value) ?? (until && until - start);
  return duration !== undefined && duration < 0 ? undefined : { startSeconds: start, durationSeconds: duration };
}

/** The first base URL of a level counts, as it does for players; others are alternatives. */
export function below(base: string | undefined, element: MpdElement): string | undefined {
  const own = childrenOf(element, 'BaseURL')[0];
  if (own === undefined || base === undefined) return base;
  return own.text === undefined ? undefined : resolved(own.text.value, base);
}

const urlMax = 2_048;

/** Absolute URL of a reference, without fragment; undefined unless it is one of http or https without credentials. */
export function resolved(reference: string, base: string): string | undefined {
  const url = reference.length > urlMax ? null : URL.parse(reference, base);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return undefined;
  url.hash = '';
  return url.href.length > urlMax ? undefined : url.href;
}

function childrenOf(element: MpdElement, name: string): readonly MpdElement[] {
  return element.children.filter((child) => child.name === name);
}

function offsetOf(element: MpdElement): number | undefined {
  const own = childrenOf(element, 'BaseURL')[0];
  return own && secondsOf(own);
}

function secondsOf({ attributes }: MpdElement): number | undefined {
  const text = attributes.get('availabilityTimeOffset')?.value.trim();
  if (text === undefined) return undefined;
  if (text === 'INF') return Number.POSITIVE_INFINITY;
  return /^\d{1,9}(?:\.\d{1,12})?$/.test(text) ? Number(text) : undefined;
}

function isRemote({ attributes }: MpdElement): boolean {
  return attributes.has('xlink:href');
}

/** Players add query parameters of their own to every URL below (ISO/IEC 23009-1 annex I): they are not known here. */
function isAltered(element: MpdElement): boolean {
  const properties = element.children.filter(({ name }) => name.endsWith('Property'));
  const schemes = properties.map(({ attributes }) => attributes.get('schemeIdUri')?.value ?? '');
  return isRemote(element) || schemes.some((scheme) => scheme.startsWith('urn:mpeg:dash:urlparam:'));
}
