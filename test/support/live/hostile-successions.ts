import fc from 'fast-check';
import { mpdText, period } from '../mpd.ts';
import { hostilePlaylist, number, type Targets, tagLine } from './hostile-playlists.ts';

/** What an origin answers when it is asked for a manifest once more. */
export interface Version {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>, weight = 12) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd });
const seconds = mostly(fc.constantFrom('1', '2', '2.5', '4'), number);
const sequences = fc.constantFrom('0', '3', '999999999999999', '9007199254740990', '9007199254740993', '-1', '1e3', '');
const dates = fc.constantFrom(
  ...['2026-01-01T00:00:00Z', '2026-01-01T00:00:04.5+14:00', '1970-01-01T00:00:00Z', '9999-12-31T23:59:59Z'],
  ...['+275760-09-12T23:59:59Z', '-271821-04-20T00:00:00Z', 'now', ''],
);
const control = fc
  .subarray(['CAN-BLOCK-RELOAD=YES', 'CAN-SKIP-UNTIL=12', 'CAN-SKIP-DATERANGES=YES', 'PART-HOLD-BACK=1.2'])
  .chain((sane) =>
    mostly(
      fc.constant(sane),
      number.map((it) => [...sane, `CAN-SKIP-UNTIL=${it}`]),
      6,
    ),
  )
  .map((attributes) => `#EXT-X-SERVER-CONTROL:${attributes.join(',')}`);

/** One answer's fields: what a cache reads of them, as it should be and not. */
const fields = mostly(
  fc.constant({}),
  fc.dictionary(
    fc.constantFrom('Age', 'Cache-Control', 'Date', 'Expires', 'ETag', 'Vary', 'Last-Modified', 'Content-Encoding'),
    fc.constantFrom(
      ...['0', '-5', '1e300', '9007199254740993', '99999999999999999999', 'NaN', 'x', '*', 'Origin', 'gzip', '""'],
      ...[
        'max-age=99999999999999999999',
        'no-store',
        'private',
        'no-cache, no-transform',
        'max-age=-1',
        's-maxage="1"',
      ],
      ...['Fri, 31 Dec 9999 23:59:59 GMT', 'Thu, 01 Jan 1970 00:00:00 GMT', 'W/"a"', '"a"'],
    ),
    { maxKeys: 3 },
  ),
  3,
);
const statuses = mostly(fc.constant(200), fc.constantFrom(204, 301, 304, 401, 404, 410, 502, 503), 15);

const step = fc.record({
  added: fc.nat(4),
  slid: fc.nat(4),
  /** The numbers go on, or begin elsewhere. */
  first: mostly(fc.constant(undefined), sequences, 8),
  seconds,
  target: mostly(fc.constant('4'), number),
  partTarget: fc.option(mostly(fc.constant('0.5'), number), { nil: undefined }),
  parts: fc.nat(5),
  control: fc.option(control, { nil: undefined }),
  date: fc.option(dates, { nil: undefined, freq: 3 }),
  ranges: fc.subarray(['a', 'b', 'c']),
  isCut: mostly(fc.constant(false), fc.constant(true)),
  ended: mostly(fc.constant(false), fc.constant(true), 20),
});

/** Versions of one HLS playlist that mostly goes on, with parts or without, and now and then is another altogether. */
export function hostileSuccession(targets: Targets): fc.Arbitrary<Version[]> {
  const odd = fc.array(tagLine(targets), { maxLength: 2 }).map((lines) => lines.flat());
  const versionOf = fc.tuple(step, mostly(fc.constant<string[]>([]), odd, 4), fc.nat(99));
  const other = hostilePlaylist(targets);
  const each = fc.tuple(versionOf, mostly(fc.constant(undefined), other, 10), statuses, fields);
  return fc.array(each, { minLength: 2, maxLength: 6 }).map((all) => {
    let [first, count] = [0, 2];
    return all.map(([[about, lines, at], instead, status, given]) => {
      count += about.added;
      const slid = Math.min(about.slid, count);
      first += slid;
      count -= slid;
      const text = playlist({ ...about, first: about.first ?? String(first), from: first, count, lines, at });
      return { status, fields: given, body: instead ?? Buffer.from(about.isCut ? text.slice(0, -9) : text) };
    });
  });
}

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function playlist(
  about: Omit<Step, 'first'> & { first: string; from: number; count: number; lines: string[]; at: number },
): string {
  const { first, from, count, parts, partTarget, date } = about;
  const isLow = partTarget !== undefined;
  const part = (segment: number, index: number) =>
    `#EXT-X-PART:DURATION=${partTarget},URI="${segment}.${index}.m4s"${index === 0 ? ',INDEPENDENT=YES' : ''}`;
  const segments = Array.from({ length: count }, (_, i) => [
    ...(date !== undefined && i === 0 ? [`#EXT-X-PROGRAM-DATE-TIME:${date}`] : []),
    ...(isLow && i === count - 1 ? [part(from + i, 0), part(from + i, 1)] : []),
    `#EXTINF:${about.seconds},`,
    `${from + i}.m4s`,
  ]);
  const lines = [
    '#EXTM3U',
    `#EXT-X-TARGETDURATION:${about.target}`,
    ...(about.control === undefined ? [] : [about.control]),
    ...(isLow ? [`#EXT-X-PART-INF:PART-TARGET=${partTarget}`] : []),
    `#EXT-X-MEDIA-SEQUENCE:${first}`,
    ...about.ranges.map((id) => `#EXT-X-DATERANGE:ID="${id}",START-DATE="2026-01-01T00:00:00Z"`),
    ...segments.flat(),
    ...(isLow ? Array.from({ length: parts }, (_, i) => part(from + count, i)) : []),
    ...(isLow ? [`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${from + count}.${parts}.m4s"`] : []),
    ...(isLow ? [`#EXT-X-RENDITION-REPORT:URI="../other.m3u8",LAST-MSN=${first},LAST-PART=${parts}`] : []),
    ...(about.ended ? ['#EXT-X-ENDLIST'] : []),
    '',
  ];
  lines.splice(1 + (about.at % lines.length), 0, ...about.lines);
  return lines.join('\n');
}

const ticks = mostly(
  fc.constantFrom('1', '2', '90000'),
  fc.constantFrom('0', '-1', '1e300', '999999999999999', '9007199254740993', '18446744073709551615', ''),
  6,
);
const times = mostly(
  fc.constantFrom('PT2S', 'PT4S', 'PT0S', 'PT30S'),
  fc.constantFrom('P100Y', 'P25D', 'PT0.0000001S', '-PT5S', 'PT1e9S', 'P1000000000Y', 'PT', ''),
  3,
);
const instants = mostly(
  fc.constantFrom('2026-01-01T00:00:00Z', '2026-11-01T00:00:00Z'),
  fc.constantFrom(
    '1970-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '0000-01-01T00:00:00+14:00',
    '+275760-09-13T00:00:00Z',
    'now',
  ),
  4,
);
const entries = fc.array(
  fc.record(
    { t: ticks, d: ticks, r: mostly(fc.constantFrom('0', '3', '-1'), fc.constantFrom('999999999999999', '-2', 'x')) },
    { requiredKeys: ['d'] },
  ),
  { minLength: 1, maxLength: 4 },
);
const attributesOf = (values: Readonly<Record<string, string | undefined>>): string =>
  Object.entries(values)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${value}"`]))
    .join(' ');

/** Versions of one live MPD, by number or by timeline. */
export const hostileMpds: fc.Arbitrary<Version[]> = fc
  .array(
    fc.tuple(
      fc.record({
        availabilityStartTime: instants,
        publishTime: instants,
        minimumUpdatePeriod: times,
        timeShiftBufferDepth: times,
      }),
      fc.record({ start: times, duration: fc.option(times, { nil: undefined, freq: 3 }) }),
      fc.record({
        timescale: ticks,
        duration: fc.option(ticks, { nil: undefined }),
        startNumber: ticks,
        presentationTimeOffset: fc.option(ticks, { nil: undefined }),
        availabilityTimeOffset: fc.option(fc.constantFrom('INF', '1.5', '1e9', '999999999'), {
          nil: undefined,
          freq: 5,
        }),
      }),
      entries,
      statuses,
      fields,
    ),
    { minLength: 2, maxLength: 5 },
  )
  .map((all) =>
    all.map(([mpd, about, template, timeline, status, given]) => {
      const named = 'initialization="i.mp4" media="$RepresentationID$/$Number$.m4s"';
      const listed = `<SegmentTimeline>${timeline.map((each) => `<S ${attributesOf(each)}/>`).join('')}</SegmentTimeline>`;
      const inside = `<SegmentTemplate ${named} ${attributesOf(template)}>${template.duration === undefined ? listed : ''}</SegmentTemplate>`;
      const text = mpdText({
        mpd: `type="dynamic" ${attributesOf(mpd)}`,
        periods: [period(inside, { attributes: `id="p" ${attributesOf(about)}` })],
      });
      return { status, fields: given, body: Buffer.from(text) };
    }),
  );
