import { describe, expect, it } from 'vitest';
import { continued, restarted } from '../../src/live/hls/continuation.ts';
import { parseHls } from '../../src/live/hls/hls.ts';

const options = { isOurs: () => true, offsetOf: () => 0 };
const url = 'https://origin.example/live/main.m3u8';

/** Segments first .. last of 2 s, each with lines of its own in front. */
function playlist(first: number, last: number, { head = [], of = () => [], rest = [] }: Partial<Lines> = {}): string {
  const segments = Array.from({ length: last - first + 1 }, (_, i) => [
    ...of(first + i),
    '#EXTINF:2.000,',
    `seg-${first + i}.ts`,
  ]);
  const start = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', `#EXT-X-MEDIA-SEQUENCE:${first}`];
  return `${[...start, ...head, ...segments.flat(), ...rest].join('\n')}\n`;
}

interface Lines {
  readonly head: readonly string[];
  readonly of: (sequence: number) => readonly string[];
  readonly rest: readonly string[];
}

const at = (epochMs: number) => (sequence: number) => [
  `#EXT-X-PROGRAM-DATE-TIME:${new Date(epochMs + sequence * 2_000).toISOString()}`,
];

/** Numbers, names and discontinuity sequence numbers of what viewers see. */
function seen(text: string | undefined) {
  const lines = text?.split('\n') ?? [];
  const value = (tag: string) => Number(lines.find((line) => line.startsWith(`#${tag}:`))?.slice(tag.length + 2) ?? 0);
  let [sequence, discontinuity] = [value('EXT-X-MEDIA-SEQUENCE'), value('EXT-X-DISCONTINUITY-SEQUENCE')];
  const found: string[] = [];
  for (const line of lines) {
    if (line === '#EXT-X-DISCONTINUITY') discontinuity++;
    if (line !== '' && !line.startsWith('#')) found.push(`${sequence++} ${discontinuity} ${line}`);
  }
  return found;
}

describe('an origin whose numbers began anew', () => {
  const old = playlist(20, 24);
  const anew = restarted(playlist(0, 1), old, { ...options, elapsedMs: 5_000 }) ?? '';

  it('goes on counting for viewers, behind a discontinuity, under names of its own', () => {
    expect(seen(anew)).toEqual([
      '22 0 seg-22.ts',
      '23 0 seg-23.ts',
      '24 0 seg-24.ts',
      '25 1 seg-0.ts?_eddy_epoch=25',
      '26 1 seg-1.ts?_eddy_epoch=25',
    ]);
    expect(parseHls(Buffer.from(anew), url)?.newest).toEqual({ mediaSequence: 26 });
  });

  it('lets what was before go as new media come, and keeps all numbers', () => {
    const seventh = new Map<number, string>();
    let before = anew;
    for (let last = 1; last < 12; last++) {
      before = continued(playlist(Math.max(0, last - 4), last), before, options);
      const lines = seen(before);
      expect(lines).toHaveLength(5);
      for (const line of lines) {
        const number = Number.parseInt(line, 10);
        expect(seventh.get(number) ?? line).toBe(line);
        seventh.set(number, line);
      }
    }
    expect(seen(before).at(-1)).toBe('36 1 seg-11.ts?_eddy_epoch=25');
  });

  it('does so again', () => {
    const later = continued(playlist(6, 10), anew, options);
    const again = restarted(playlist(0, 0), later, { ...options, elapsedMs: 3_000 });
    expect(seen(again).slice(-2)).toEqual(['35 1 seg-10.ts?_eddy_epoch=25', '36 2 seg-0.ts?_eddy_epoch=36']);
    // Seen before that was known: as numbers that go back.
    expect(parseHls(Buffer.from(continued(playlist(0, 0), later, options)), url)?.newest?.mediaSequence).toBe(25);
  });

  it('is left alone where another node continued it', () => {
    expect(continued(anew, anew, options)).toBe(anew);
    const next = continued(playlist(0, 2), anew, options);
    expect(continued(next, anew, options)).toBe(next);
  });

  it('counts discontinuities of its own', () => {
    const of = (sequence: number) => (sequence % 3 === 0 ? ['#EXT-X-DISCONTINUITY'] : []);
    const before = playlist(20, 24, { of, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:6'] });
    const now = playlist(3, 4, { of, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:1'] });
    const first = restarted(now, before, { ...options, elapsedMs: 5_000 }) ?? '';
    expect(seen(first)).toEqual([
      ...['22 7 seg-22.ts', '23 7 seg-23.ts', '24 8 seg-24.ts'],
      ...['25 9 seg-3.ts?_eddy_epoch=25', '26 9 seg-4.ts?_eddy_epoch=25'],
    ]);
    const later = continued(playlist(4, 8, { of, head: ['#EXT-X-DISCONTINUITY-SEQUENCE:2'] }), first, options);
    expect(seen(later).map((line) => line.split('?')[0])).toEqual([
      ...['26 9 seg-4.ts', '27 9 seg-5.ts', '28 10 seg-6.ts', '29 10 seg-7.ts', '30 10 seg-8.ts'],
    ]);
  });
});

describe('what viewers have had already', () => {
  it('is left out by its date', () => {
    const before = playlist(20, 24, { of: at(0) });
    // Segment 24 ended at 50 s; of the new ones, number 3 begins at 50.5 s.
    const now = playlist(0, 3, { of: at(44_500) });
    expect(seen(restarted(now, before, { ...options, elapsedMs: 3_000 })).at(-1)).toBe('25 1 seg-3.ts?_eddy_epoch=25');
    expect(restarted(playlist(0, 2, { of: at(44_000) }), before, { ...options, elapsedMs: 3_000 })).toBeUndefined();
  });

  it('is left out by the time that has passed, and some is always new', () => {
    const count = (elapsedMs: number) =>
      seen(restarted(playlist(0, 4), playlist(20, 24), { ...options, elapsedMs })).filter((each) =>
        each.includes('epoch'),
      ).length;
    expect([0, 3_000, 4_000, 7_000, 100_000].map(count)).toEqual([1, 1, 2, 3, 5]);
  });

  it('is dated and has its initialization section where those stood before it', () => {
    const head = ['#EXT-X-MAP:URI="init.mp4"', '#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z'];
    const later = ['#EXT-X-MAP:URI="init.mp4"', '#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z'];
    const before = playlist(20, 24, { head });
    const text = restarted(playlist(0, 4, { head: later }), before, { ...options, elapsedMs: 2_500 }) ?? '';
    expect(text.slice(text.indexOf('#EXT-X-DISCONTINUITY-')).split('\n')).toEqual([
      '#EXT-X-DISCONTINUITY-SEQUENCE:0',
      '#EDDY-CONTINUED:FROM=25,OFFSET=21,DISCONTINUITIES=1',
      '#EXT-X-MAP:URI="init.mp4"',
      ...['#EXTINF:2.000,', 'seg-21.ts', '#EXTINF:2.000,', 'seg-22.ts', '#EXTINF:2.000,', 'seg-23.ts'],
      ...['#EXTINF:2.000,', 'seg-24.ts', '#EXT-X-DISCONTINUITY', '#EXT-X-MAP:URI="init.mp4?_eddy_epoch=25"'],
      ...['#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10.000Z', '#EXTINF:2.000,', 'seg-4.ts?_eddy_epoch=25', ''],
    ]);
  });
});

describe('Low-Latency HLS that begins anew', () => {
  const part = (name: string) => `#EXT-X-PART:DURATION=0.5,URI="${name}"`;
  const old = playlist(20, 24, {
    rest: [part('part-25.0'), part('part-25.1'), '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-25.2"'],
  });
  const rest = [
    part('part-1.0'),
    '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-1.1"',
    '#EXT-X-RENDITION-REPORT:URI="../audio/main.m3u8",LAST-MSN=1,LAST-PART=0',
  ];

  it('has the segment that was never completed as a gap, and translates reports', () => {
    const text = restarted(playlist(0, 0, { rest }), old, { ...options, offsetOf: () => 30, elapsedMs: 3_000 }) ?? '';
    expect(text.slice(text.indexOf('seg-24.ts'))).toBe(
      [
        'seg-24.ts',
        part('part-25.0'),
        part('part-25.1'),
        '#EXT-X-GAP',
        '#EXTINF:1.00000,',
        'part-25.1',
        '#EXT-X-DISCONTINUITY',
        '#EXTINF:2.000,',
        'seg-0.ts?_eddy_epoch=26',
        part('part-1.0?_eddy_epoch=26'),
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="part-1.1?_eddy_epoch=26"',
        '#EXT-X-RENDITION-REPORT:URI="../audio/main.m3u8",LAST-MSN=31,LAST-PART=0',
        '',
      ].join('\n'),
    );
    expect(parseHls(Buffer.from(text), url)?.newest).toEqual({ mediaSequence: 27, part: 0 });
  });

  it('is not dated where its date would be no time that there is', () => {
    const dated = playlist(0, 1, { of: (n) => (n === 0 ? ['#EXT-X-PROGRAM-DATE-TIME:+275760-09-12T23:59:59Z'] : []) });
    const text = restarted(dated.replace('2.000', '1e300'), old, { ...options, elapsedMs: 1_000 }) ?? '';
    expect(seen(text).at(-1)).toBe('26 1 seg-1.ts?_eddy_epoch=26');
    expect(text).not.toContain('PROGRAM-DATE-TIME');
  });

  it('may begin with parts alone', () => {
    const text = restarted(playlist(0, -1, { rest: rest.slice(0, 2) }), old, { ...options, elapsedMs: 600 }) ?? '';
    expect(text).toContain(`#EXT-X-DISCONTINUITY\n${part('part-1.0?_eddy_epoch=26')}\n`);
    expect(parseHls(Buffer.from(text), url)?.newest).toEqual({ mediaSequence: 26, part: 0 });
    const next = continued(playlist(0, 0), text, options);
    expect(seen(next).slice(-2)).toEqual(['25 0 part-25.1', '26 1 seg-0.ts?_eddy_epoch=26']);
  });
});
