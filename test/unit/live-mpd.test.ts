import { describe, expect, test } from 'vitest';
import { parseMpd } from '../../src/live/dash/mpd.ts';
import type { Manifest } from '../../src/live/manifest.ts';
import { type MpdParts, mpdText, period } from '../support/mpd.ts';

const url = 'https://origin.example/live/a/stream.mpd?token=1';
const startMs = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number): number => startMs + seconds * 1000;

function parse(parts: MpdParts, nowMs = startMs): Manifest {
  const manifest = parseMpd(Buffer.from(mpdText(parts)), { url, nowMs: () => nowMs });
  if (manifest === undefined) throw new Error('not understood');
  return manifest;
}

/** Role and URL below `/live/a/`. */
function named(manifest: Manifest): string[] {
  return manifest.announced.map((each) => `${each.role} ${each.url.replace('https://origin.example/live/a/', '')}`);
}

const live = 'type="dynamic" availabilityStartTime="2026-01-01T00:00:00Z" timeShiftBufferDepth="PT30S"';
const numbered =
  '<SegmentTemplate timescale="1000" duration="2000" startNumber="5" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number%05d$.m4s"/>';
const timeline = (entries: string, attributes = 'timescale="10"'): string =>
  `<SegmentTemplate ${attributes} media="$Time$.m4s"><SegmentTimeline>${entries}</SegmentTimeline></SegmentTemplate>`;

describe('a static MPD', () => {
  const vod = 'type="static" mediaPresentationDuration="PT10S"';

  test('names all its segments in order, and is not live', () => {
    const manifest = parse({ mpd: vod, periods: [period(numbered, { ids: ['v1', 'v2'] })] });
    expect(manifest).toMatchObject({ kind: 'dash', level: 'media', live: false, windowSeconds: 10 });
    const of = (id: string): string[] => [
      `init ${id}/init.mp4`,
      ...[5, 6, 7, 8, 9].map((number) => `segment ${id}/0000${number}.m4s`),
    ];
    expect(named(manifest)).toEqual([...of('v1'), ...of('v2')]);
    expect(manifest.announced[1]).toMatchObject({ durationSeconds: 2, rendition: 'v1' });
  });

  test('SegmentTimeline by time and by number, repeats included', () => {
    const entries = '<S t="5" d="20" r="2"/><S d="10"/><S t="100" d="7"/>';
    expect(named(parse({ mpd: vod, periods: [period(timeline(entries))] }))).toEqual(
      [5, 25, 45, 65, 100].map((time) => `segment ${time}.m4s`),
    );
    const byNumber = timeline(entries).replace('$Time$', '$Number$');
    expect(named(parse({ mpd: vod, periods: [period(byNumber)] }))).toEqual(
      [1, 2, 3, 4, 5].map((number) => `segment ${number}.m4s`),
    );
  });

  test('a negative repeat goes on to the next entry with a time, or to the end of the period', () => {
    const entries = '<S t="0" d="20" r="-1"/><S t="60" d="15" r="-1"/>';
    expect(named(parse({ mpd: vod, periods: [period(timeline(entries))] }))).toEqual(
      [0, 20, 40, 60, 75, 90].map((time) => `segment ${time}.m4s`),
    );
  });

  test('times beyond what a double holds are exact', () => {
    const entries = '<S t="17000000000000001" d="20000000" r="1"/>';
    const manifest = parse({
      mpd: vod,
      periods: [period(timeline(entries, 'timescale="10000000" presentationTimeOffset="17000000000000001"'))],
    });
    expect(named(manifest)).toEqual(['segment 17000000000000001.m4s', 'segment 17000000020000001.m4s']);
  });

  test('SegmentList, with ranges of one file and with files', () => {
    const list = `<BaseURL>one.mp4</BaseURL><SegmentList timescale="1" duration="5"><Initialization range="0-814"/>
      <SegmentURL mediaRange="815-999" indexRange="815-866"/><SegmentURL media="b/2.mp4"/></SegmentList>`;
    const { announced } = parse({ mpd: vod, periods: [period(list)] });
    expect(announced).toEqual([
      { role: 'init', url: 'https://origin.example/live/a/one.mp4', range: { first: 0, last: 814 }, rendition: 'v1' },
      {
        ...{ role: 'segment', url: 'https://origin.example/live/a/one.mp4', range: { first: 815, last: 999 } },
        ...{ rendition: 'v1', durationSeconds: 5 },
      },
      { role: 'segment', url: 'https://origin.example/live/a/b/2.mp4', rendition: 'v1', durationSeconds: 5 },
    ]);
  });

  test('SegmentBase names what is before the media', () => {
    const base = '<SegmentBase indexRange="815-900"><Initialization range="0-814"/></SegmentBase>';
    const inside = `<BaseURL>one.mp4</BaseURL>${base}`;
    expect(parse({ mpd: vod, periods: [period(inside)] }).announced).toMatchObject([
      { role: 'init', range: { first: 0, last: 814 } },
      { role: 'other', range: { first: 815, last: 900 } },
    ]);
  });

  test('periods follow one another, by start, by duration, or up to the end of the presentation', () => {
    const periods = [
      period(numbered.replace('media="', 'media="0-'), { attributes: 'duration="PT4S"' }),
      period(numbered.replace('media="', 'media="1-'), { attributes: 'id="b"' }),
      period(numbered.replace('media="', 'media="2-'), { attributes: 'start="PT8S"' }),
    ];
    const segments = named(parse({ mpd: vod, periods })).filter((each) => each.startsWith('segment'));
    expect(segments).toEqual(
      ['0-v1/00005', '0-v1/00006', '1-v1/00005', '1-v1/00006', '2-v1/00005'].map((name) => `segment ${name}.m4s`),
    );
  });

  test('segment information is inherited, the innermost counts', () => {
    const own = '<SegmentTemplate media="own-$Bandwidth$-$Number$.m4s" startNumber="1"/>';
    const xml = `<Period><SegmentTemplate timescale="1" duration="5" media="outer-$Number$.m4s" startNumber="9"/>
      <AdaptationSet><Representation id="a" bandwidth="7">${own}</Representation><Representation id="b"/></AdaptationSet></Period>`;
    expect(named(parse({ mpd: vod, periods: [xml] }))).toEqual(
      ['own-7-1', 'own-7-2', 'outer-9', 'outer-10'].map((name) => `segment ${name}.m4s`),
    );
  });

  test('base URLs at every level resolve one against the other', () => {
    const xml = `<Period><BaseURL> p/ </BaseURL><AdaptationSet><BaseURL>../s/</BaseURL>${numbered}
      <Representation id="r"><BaseURL>r/</BaseURL></Representation></AdaptationSet></Period>`;
    const { announced } = parse({ mpd: vod, head: '<BaseURL>https://cdn.example/x/</BaseURL>', periods: [xml] });
    expect(announced[1]?.url).toBe('https://cdn.example/x/s/r/r/00005.m4s');
  });

  test('what is left to the player is not announced', () => {
    const remote = period(numbered, { attributes: 'xlink:href="https://ads.example/period"' });
    const parameters = `<EssentialProperty schemeIdUri="urn:mpeg:dash:urlparam:2014"/>${numbered}`;
    const sequences = numbered.replace('$Number%05d$', '$Number$-$SubNumber$');
    const credentials = `<BaseURL>https://user:secret@origin.example/</BaseURL>${numbered}`;
    const script = `<BaseURL>javascript:alert(1)//</BaseURL>${numbered}`;
    for (const xml of [remote, period(parameters), period(credentials), period(script)])
      expect(named(parse({ mpd: vod, periods: [xml] }))).toEqual([]);
    expect(named(parse({ mpd: vod, periods: [period(sequences)] }))).toEqual(['init v1/init.mp4']);
  });

  test('a repeat of millions costs nothing but what is announced', () => {
    const manifest = parse({ mpd: vod, periods: [period(timeline('<S t="0" d="1" r="99999999999999"/>'))] });
    expect(manifest.announced).toHaveLength(20_000);
  });
});

describe('a live MPD', () => {
  test('by number: what is there now, and what comes before the next update', () => {
    const manifest = parse({ mpd: `${live} minimumUpdatePeriod="PT4S"`, periods: [period(numbered)] }, at(21));
    expect(manifest).toMatchObject({ live: true, updateSeconds: 4, windowSeconds: 30, newest: { mediaSequence: 14 } });
    expect(manifest.edgeMs).toBe(at(20));
    const [init, ...segments] = manifest.announced;
    expect(init?.role).toBe('init');
    const there = segments.filter(({ availableAtMs }) => availableAtMs === undefined);
    expect(there.at(-1)?.url).toMatch(/00014\.m4s$/);
    expect(there).toHaveLength(5);
    const later = segments.filter(({ availableAtMs }) => availableAtMs !== undefined);
    expect(later.map((each) => [each.url.slice(-9), each.availableAtMs])).toEqual([
      ['00015.m4s', at(22)],
      ['00016.m4s', at(24)],
      ['00017.m4s', at(26)],
    ]);
  });

  test('without an update period it is looked at once a segment', () => {
    expect(parse({ mpd: live, periods: [period(numbered)] }, at(21)).updateSeconds).toBe(2);
    const zero = parse({ mpd: `${live} minimumUpdatePeriod="PT0S"`, periods: [period(numbered)] }, at(21));
    expect(zero.updateSeconds).toBe(2);
  });

  test('with listed segments it is looked at once a segment, if that is more often', () => {
    const listed = (duration: number): MpdParts => ({
      mpd: `${live} minimumUpdatePeriod="PT4S"`,
      periods: [period(timeline(`<S t="0" d="${duration}" r="9"/>`))],
    });
    expect(parse(listed(20), at(21)).updateSeconds).toBe(2);
    expect(parse(listed(60), at(61)).updateSeconds).toBe(4);
    expect(parse(listed(1), at(21)).updateSeconds).toBe(0.25);
  });

  test('availabilityTimeOffset: segments are there before their end', () => {
    const early = numbered.replace('/>', ' availabilityTimeOffset="1.5" availabilityTimeComplete="false"/>');
    const manifest = parse({ mpd: live, periods: [period(early)] }, at(20.6));
    expect(manifest.newest).toEqual({ mediaSequence: 15 });
    expect(manifest.edgeMs).toBe(at(20.6));
    expect(manifest.announced.find(({ availableAtMs }) => availableAtMs !== undefined)).toMatchObject({
      availableAtMs: at(22.5),
    });
    const onBase = { mpd: live, head: '<BaseURL availabilityTimeOffset="1.5">./</BaseURL>' };
    expect(parse({ ...onBase, periods: [period(numbered)] }, at(20.6)).newest).toEqual({ mediaSequence: 15 });
  });

  test('by timeline: the newest that is listed, an open repeat included', () => {
    const listed = timeline('<S t="1000" d="20" r="9"/>', 'timescale="10" presentationTimeOffset="1000"');
    const manifest = parse({ mpd: live, periods: [period(listed)] }, at(20));
    expect(manifest.newest).toEqual({ mediaSequence: 1180 });
    expect(named(manifest).at(-1)).toBe('segment 1180.m4s');
    const open = timeline('<S t="0" d="20" r="-1"/>');
    expect(parse({ mpd: live, periods: [period(open)] }, at(21)).newest).toEqual({ mediaSequence: 180 });
  });

  test('without a start time nothing is known but what is listed', () => {
    const listed = timeline('<S t="0" d="20" r="9"/>');
    const manifest = parse({ mpd: 'type="dynamic"', periods: [period(listed)] });
    expect(manifest.newest).toEqual({ mediaSequence: 180 });
    expect(manifest.edgeMs).toBeUndefined();
    expect(parse({ mpd: 'type="dynamic"', periods: [period(numbered)] }).announced).toEqual([]);
  });

  test('across periods the newest of a rendition are found, oldest first', () => {
    const periods = [
      period(timeline('<S t="0" d="20" r="4"/>').replace('$Time', 'a$Time'), { attributes: 'start="PT0S"' }),
      period(timeline('<S t="0" d="20" r="0"/>').replace('$Time', 'b$Time'), { attributes: 'start="PT10S"' }),
    ];
    expect(named(parse({ mpd: live, periods }, at(12))).slice(-4)).toEqual(
      ['a40', 'a60', 'a80', 'b0'].map((name) => `segment ${name}.m4s`),
    );
  });

  test('before it starts nothing is there', () => {
    const manifest = parse({ mpd: live, periods: [period(numbered)] }, at(-10));
    expect(manifest.newest).toBeUndefined();
    expect(manifest.announced.filter(({ availableAtMs }) => availableAtMs === undefined)).toEqual([]);
  });

  test('goes on with time, though its bytes stay the same', () => {
    let nowMs = at(20);
    const bytes = Buffer.from(mpdText({ mpd: live, periods: [period(numbered)] }));
    const manifest = parseMpd(bytes, { url, nowMs: () => nowMs });
    expect(manifest).toMatchObject({ newest: { mediaSequence: 14 }, edgeMs: at(20) });
    nowMs = at(24);
    expect(manifest).toMatchObject({ newest: { mediaSequence: 16 }, edgeMs: at(24) });
    expect(manifest?.announced.filter(({ availableAtMs }) => availableAtMs === undefined).at(-1)?.url).toMatch(
      /16\.m4s$/,
    );
  });

  test('announces a bounded part, however large the update period and however many representations', () => {
    const ids = Array.from({ length: 2_000 }, (_, number) => `v${number}`);
    const mpd = `${live} minimumUpdatePeriod="P1D"`;
    const { announced } = parse({ mpd, periods: [period(numbered, { ids })] }, at(1e6));
    expect(announced.length).toBeGreaterThan(1_000);
    expect(announced.length).toBeLessThanOrEqual(20_000);
  });
});

describe('rewriting', () => {
  const toEdge = (target: string): string | undefined =>
    target.startsWith('https://cdn.example/x/') ? `/cdn/${target.slice('https://cdn.example/x/'.length)}` : undefined;
  const rewritten = (parts: MpdParts): string => parse(parts).rewrite(toEdge).toString();

  test('absolute URLs of mapped origins lead to the edge, every other byte stays', () => {
    const parts = {
      head: "<Location> https://cdn.example/x/m.mpd?a=1&amp;b=2 </Location><BaseURL serviceLocation='é'>https://cdn.example/x/v/</BaseURL>",
      periods: [
        period(
          `<SegmentTemplate initialization='https://cdn.example/x/$RepresentationID$/i.mp4' media="//cdn.example/x/s/a$Number%05d$.m4s?t=$Time$"/>`,
        ),
        period(
          '<SegmentList><Initialization sourceURL="https://cdn.example/x/i"/><SegmentURL media="https://cdn.example/x/1" index="https://other.example/x/1"/></SegmentList>',
        ),
      ],
      tail: '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="https://cdn.example/x/time https://time.example/"/>',
    };
    const expected = mpdText(parts)
      .replace('https://cdn.example/x/m.mpd', '/cdn/m.mpd')
      .replace('https://cdn.example/x/v/', '/cdn/v/')
      .replace("'https://cdn.example/x/$R", "'/cdn/$R")
      .replace('//cdn.example/x/s/a', '/cdn/s/a')
      .replace('https://cdn.example/x/i"', '/cdn/i"')
      .replace('https://cdn.example/x/1"', '/cdn/1"')
      .replace('https://cdn.example/x/time', '/cdn/time');
    expect(rewritten(parts)).toBe(expected);
  });

  test('nothing to change: the very same buffer', () => {
    const bytes = Buffer.from(mpdText({ periods: [period(numbered)] }));
    expect(parseMpd(bytes, { url, nowMs: () => 0 })?.rewrite(toEdge)).toBe(bytes);
  });

  test('a path that starts with / is one of its origin', () => {
    const head = '<BaseURL>https://cdn.example/x/v/</BaseURL>';
    const parts = { head, periods: [period('<SegmentTemplate media="/x/$Number$" initialization="i.mp4"/>')] };
    expect(rewritten(parts)).toContain('media="/cdn/$Number$" initialization="i.mp4"');
  });

  test('what comes back is text, never markup', () => {
    const bytes = Buffer.from(mpdText({ head: '<BaseURL><![CDATA[https://cdn.example/x/a&b]]></BaseURL>' }));
    const edge = (): string => `/"'<BaseURL>&`;
    const text = parseMpd(bytes, { url, nowMs: () => 0 })
      ?.rewrite(edge)
      .toString();
    expect(text).toContain('<BaseURL>/&quot;&apos;&lt;BaseURL&gt;&amp;</BaseURL>');
  });

  test('a host that the player fills in, and a time that is no URL, are left alone', () => {
    const parts = {
      periods: [period('<SegmentTemplate media="https://$RepresentationID$.cdn.example/x/1"/>')],
      tail: '<UTCTiming schemeIdUri="urn:mpeg:dash:utc:direct:2014" value="https://cdn.example/x/time"/>',
    };
    expect(rewritten(parts)).toBe(mpdText(parts));
  });

  test('a byte order mark and a prefix for the namespace do not matter', () => {
    const text =
      '\uFEFF<d:MPD xmlns:d="urn:mpeg:dash:schema:mpd:2011"><d:BaseURL>https://cdn.example/x/a/</d:BaseURL></d:MPD>';
    const result = parseMpd(Buffer.from(text), { url, nowMs: () => 0 })
      ?.rewrite(toEdge)
      .toString();
    expect(result).toBe(text.replace('https://cdn.example/x/', '/cdn/'));
  });
});

test.each([
  ['nothing', ''],
  ['HTML', '<!doctype html><html></html>'],
  ['a playlist', '#EXTM3U\n'],
  ['a patch', '<Patch/>'],
  ['a document that breaks off', mpdText({ periods: [period(numbered)] }).slice(0, -20)],
  ['another encoding', mpdText({}).replace('UTF-8', 'UTF-16')],
  [
    'entities of its own',
    mpdText({ head: '<BaseURL>&e;</BaseURL>' }).replace('<MPD', '<!DOCTYPE MPD [<!ENTITY e "x">]><MPD'),
  ],
  ['elements without end', `<MPD>${'<Period>'.repeat(100)}`],
  ['too many elements', `<MPD>${'<S d="1"/>'.repeat(200_000)}</MPD>`],
])('%s is not understood', (_what, text) => {
  expect(parseMpd(Buffer.from(text), { url, nowMs: () => 0 })).toBeUndefined();
});
