import { seededRandom } from './random.ts';

type Pick = <Value>(values: readonly Value[]) => Value;

const uris = [
  ...['', '.', '../../../..', '/', '?', '#x', 'javascript:alert(1)', 'file:///etc/passwd', 'data:,x', '\\\\h\\x'],
  ...['http://', 'http:///x', 'https://a:b@origin.example/', 'https://origin.example:99999/', '%00', 'é/ü', '&<>"'],
  ...[
    '$Number$',
    '$Time$.m4s',
    '$RepresentationID$/$Number%05d$',
    '$Number%099d$',
    '$$',
    '$',
    '$SubNumber$',
    '$Number',
  ],
  ...[
    'https://origin.example/x/',
    'http://127.0.0.1:22/',
    'http://[::1]/a',
    'http://169.254.169.254/',
    '//other.example/a',
  ],
  ...['https://origin.example/$Number$', 'https://$RepresentationID$.example/', 'a/', ' b ', 'a'.repeat(5_000)],
];
const numbers = [
  ...['0', '1', '2', '7', '50', '-1', '-5', '9007199254740993', '18446744073709551615', '99999999999999999999999'],
  ...['1e9', 'NaN', '', 'INF', ' 3 '],
];
const durations = [
  ...['PT0S', 'PT2S', 'PT0.0000001S', '-PT5S', 'P1000000000Y', 'P99Y', 'PT', 'P', '', 'PT1e9S', 'PT10S', 'PT1H'],
];
const dates = ['1970-01-01T00:00:00Z', '2026-01-01T00:00:00', '9999-12-31T23:59:59Z', 'now', '2026-13-45T99:99:99Z'];
const attributes: Readonly<Record<string, readonly string[]>> = {
  type: ['static', 'dynamic', 'dynamic', 'DYNAMIC'],
  ...all(['availabilityStartTime', 'publishTime'], dates),
  ...all(['minimumUpdatePeriod', 'timeShiftBufferDepth', 'mediaPresentationDuration', 'start'], durations),
  duration: [...durations, ...numbers],
  ...all(['timescale', 'startNumber', 'presentationTimeOffset', 'availabilityTimeOffset'], numbers),
  ...all(['t', 'd', 'r', 'k', 'bandwidth'], numbers),
  ...all(['media', 'initialization', 'index', 'sourceURL', 'xlink:href', 'value'], uris),
  ...all(['range', 'mediaRange', 'indexRange'], ['0-9', '9-0', '-', '5']),
  schemeIdUri: ['urn:mpeg:dash:utc:http-iso:2014', 'urn:mpeg:dash:urlparam:2014', 'x'],
  id: ['a', 'b', '$Number$', '../..', ''],
};
const names = [
  ...['MPD', 'Period', 'AdaptationSet', 'Representation', 'SegmentTemplate', 'SegmentTimeline', 'SegmentList'],
  ...['SegmentBase', 'SegmentURL', 'S', 'Initialization', 'BaseURL', 'Location', 'UTCTiming', 'Event'],
];
/** What a sound MPD has: attributes and elements below. Now and then the inputs have others. */
const sound: Readonly<Record<string, { has: readonly string[]; holds: readonly string[] }>> = {
  MPD: {
    has: ['type', 'availabilityStartTime', 'minimumUpdatePeriod', 'mediaPresentationDuration', 'publishTime'],
    holds: ['Period', 'Period', 'BaseURL', 'Location', 'UTCTiming'],
  },
  Period: { has: ['start', 'id'], holds: ['AdaptationSet', 'AdaptationSet', 'BaseURL', 'SegmentTemplate'] },
  AdaptationSet: { has: ['id'], holds: ['Representation', 'Representation', 'SegmentTemplate', 'BaseURL'] },
  Representation: { has: ['id', 'bandwidth'], holds: ['SegmentTemplate', 'SegmentList', 'SegmentBase', 'BaseURL'] },
  SegmentTemplate: {
    has: ['media', 'initialization', 'timescale', 'duration', 'startNumber', 'presentationTimeOffset'],
    holds: ['SegmentTimeline', 'SegmentTimeline', 'Initialization'],
  },
  SegmentTimeline: { has: [], holds: ['S'] },
  S: { has: ['t', 'd', 'r'], holds: [] },
  SegmentList: { has: ['timescale', 'duration'], holds: ['SegmentURL', 'SegmentTimeline', 'Initialization'] },
  SegmentURL: { has: ['media', 'mediaRange', 'index'], holds: [] },
  SegmentBase: { has: ['indexRange'], holds: ['Initialization'] },
  Initialization: { has: ['sourceURL', 'range'], holds: [] },
  UTCTiming: { has: ['schemeIdUri', 'value'], holds: [] },
};

/** Given more often than not, so that the odd value meets sound ones. */
const usual: Readonly<Record<string, string>> = {
  availabilityStartTime: '2026-05-31T23:00:00Z',
  mediaPresentationDuration: 'PT1H',
  media: 'a/$Number$.m4s',
  timescale: '1',
  duration: '2',
  start: 'PT0S',
  d: '2',
  r: '3',
};

/** A well-formed MPD that contradicts itself, with numbers, times, hosts and schemes it should not have. */
export function contradictoryMpd(seed: number): string {
  const random = seededRandom(seed);
  const pick: Pick = (values) => values[Math.floor(random() * values.length)] as (typeof values)[number];
  const element = (name: string, depth: number): string => {
    const { has = [], holds = [] } = sound[name] ?? {};
    const chosen = new Set(has.filter(() => random() < 0.8));
    if (random() < 0.15) chosen.add(pick(Object.keys(attributes)));
    const value = (each: string): string =>
      random() < 0.6 ? (usual[each] ?? pick(attributes[each] ?? uris)) : pick(attributes[each] ?? uris);
    const own = [...chosen].map((each) => ` ${each}="${escaped(value(each))}"`).join('');
    const count = depth === 0 ? 0 : Math.floor(random() * 5);
    const child = (): string => element(holds.length === 0 || random() < 0.05 ? pick(names) : pick(holds), depth - 1);
    const inside = Array.from({ length: holds.length === 0 && random() < 0.95 ? 0 : count }, child).join('\n');
    return `<${name}${own}>${name === 'BaseURL' || name === 'Location' ? escaped(pick(uris)) : inside}</${name}>`;
  };
  return `<?xml version="1.0"?>${element('MPD', 6)}`;
}

function all(keys: readonly string[], values: readonly string[]): Record<string, readonly string[]> {
  return Object.fromEntries(keys.map((key) => [key, values]));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
