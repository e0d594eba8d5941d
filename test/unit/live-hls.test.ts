import { describe, expect, it } from 'vitest';
import { readDirectives } from '../../src/live/hls/delivery-directives.ts';
import { parseHls } from '../../src/live/hls/hls.ts';
import { offeringBlockingReload } from '../../src/live/hls/hls-delta.ts';
import { rewriteUris } from '../../src/live/hls/hls-uris.ts';
import { mapOf, originUrl } from '../../src/live/mapped-urls.ts';
import { namesPlaylist } from '../../src/live/message/playlist-target.ts';
import { edgeTarget } from '../../src/semantics/edge-target.ts';
import { liveDefaults } from '../support/live-defaults.ts';

const url = 'https://origin.example/base/ch/main.m3u8?t=1';
const lowLatency = `#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-VERSION:9
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=0.5
#EXT-X-MEDIA-SEQUENCE:266
#EXT-X-MAP:URI="init.mp4",BYTERANGE="720@0"
#EXT-X-PROGRAM-DATE-TIME:2026-02-14T02:13:36.000Z
#EXTINF:4.0,
f266.mp4
#EXT-X-KEY:METHOD=AES-128,URI="../key.bin"
#EXT-X-BYTERANGE:1000@0
#EXTINF:4.0,
all.mp4
#EXT-X-BYTERANGE:500
#EXTINF:4.0,
all.mp4
#EXT-X-GAP
#EXTINF:4.0,
gap.mp4
#EXT-X-PART:DURATION=0.5,URI="p270.0.mp4"
#EXT-X-PART:DURATION=0.5,URI="p270.1.mp4"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="p270.2.mp4"
#EXT-X-RENDITION-REPORT:URI="../low/main.m3u8",LAST-MSN=270,LAST-PART=1
`;
const parse = (text: string) => parseHls(Buffer.from(text), url);

describe('a media playlist', () => {
  it('says what it names, where it is and how long it lasts', () => {
    const playlist = parse(lowLatency);
    expect(playlist).toMatchObject({
      ...{ kind: 'll-hls', level: 'media', live: true, updateSeconds: 0.5, targetSeconds: 4, windowSeconds: 16 },
      ...{ newest: { mediaSequence: 270, part: 1 }, canBlockReload: true },
      edgeMs: Date.parse('2026-02-14T02:13:53.000Z'),
    });
    const base = 'https://origin.example/base/ch/';
    expect(playlist?.announced.map(({ role, url: named, range }) => [role, named.replace(base, ''), range])).toEqual([
      ['key', 'https://origin.example/base/key.bin', undefined],
      ['init', 'init.mp4', { first: 0, last: 719 }],
      ['segment', 'f266.mp4', undefined],
      ['segment', 'all.mp4', { first: 0, last: 999 }],
      ['segment', 'all.mp4', { first: 1000, last: 1499 }],
      ['part', 'p270.0.mp4', undefined],
      ['part', 'p270.1.mp4', undefined],
      ['hint', 'p270.2.mp4', undefined],
      ['playlist', 'https://origin.example/base/low/main.m3u8', undefined],
    ]);
  });

  it('says whether it names keys, and whether another version names the same complete segments', () => {
    const keyless = lowLatency.replace(/^#EXT-X-KEY.*\n/m, '');
    expect([parse(lowLatency)?.hasKeys, parse(keyless)?.hasKeys]).toEqual([true, false]);
    const id = parse(lowLatency)?.segmentsId;
    const morePart = lowLatency.replace('#EXT-X-PRELOAD', '#EXT-X-PART:DURATION=0.5,URI="p270.2.mp4"\n#EXT-X-PRELOAD');
    expect(parse(morePart)?.segmentsId).toBe(id);
    for (const other of [
      lowLatency.replace('SEQUENCE:266', 'SEQUENCE:267'),
      lowLatency.replace('f266.mp4', 'f266.mp4?token=2'),
      lowLatency.replace('gap.mp4', 'other.mp4'),
      lowLatency.replace('\ngap.mp4\n', '\ngap.mp4\n#EXTINF:4.0,\nf270.mp4\n'),
    ])
      expect(parse(other)?.segmentsId).not.toBe(id);
  });

  it('is the identical buffer where nothing points past the edge', () => {
    const bytes = Buffer.from(lowLatency);
    expect(parseHls(bytes, url)?.rewrite((each) => new URL(each).pathname)).toBe(bytes);
  });

  it('has paths that differ at the edge rewritten, in lines and in attributes', () => {
    const map = { name: 'm', prefix: '/live', origins: ['https://origin.example/base'], live: liveDefaults };
    const text = lowLatency.replace('"init.mp4"', '"/base/init.mp4"').replace('f266.mp4', '/other/f266.mp4?ü');
    const rewritten = parse(text)?.rewrite((each) => edgeTarget(each, [map]));
    expect(rewritten?.toString()).toBe(text.replace('/base/init.mp4', '/live/init.mp4'));
  });

  it('that is over is not live', () => {
    expect(parse(`${lowLatency}#EXT-X-ENDLIST\n`)?.live).toBe(false);
    expect(parse(lowLatency.replace('#EXT-X-VERSION:9', '#EXT-X-PLAYLIST-TYPE:VOD'))?.live).toBe(false);
  });
});

describe('what is no playlist, or goes beyond the bounds', () => {
  it.each([
    ['nothing', ''],
    ['a page', '<html>'],
    ['no target duration', '#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n'],
    ['a delta update', lowLatency.replace('#EXTINF', '#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF')],
    ['a line without end', `${lowLatency}#${'x'.repeat(20_000)}\n`],
    ['too many lines', lowLatency + '#EXTINF:4,\na.ts\n'.repeat(40_000)],
    ['too many date ranges', lowLatency + '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"\n'.repeat(3_000)],
    ['an impossible number', lowLatency.replace('SEQUENCE:266', 'SEQUENCE:1e99')],
  ])('is not understood: %s', (_, text) => {
    expect(parse(text)).toBeUndefined();
  });

  it('leaves the prototypes of others alone', () => {
    parse('#EXTM3U\n#EXT-X-MEDIA:TYPE=__proto__,GROUP-ID="polluted",NAME="x"\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n');
    parse('#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="__proto__",NAME="polluted"\n#EXT-X-STREAM-INF:BANDWIDTH=1\na\n');
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('URLs', () => {
  const maps = [
    { name: 'all', prefix: '/', origins: ['https://a.example', 'https://b.example/base/'], live: liveDefaults },
    { name: 'live', prefix: '/live', origins: ['https://a.example/ch'], live: liveDefaults },
  ];

  it('go from the origin to the edge by the longest base, and back', () => {
    expect(edgeTarget('https://a.example/x?y=1', maps)).toBe('/x?y=1');
    expect(edgeTarget('https://a.example/ch/x', maps)).toBe('/live/x');
    expect(edgeTarget('https://a.example/chx', maps)).toBe('/chx');
    expect(edgeTarget('https://b.example/base/x', maps)).toBe('/x');
    for (const other of ['https://b.example/x', 'http://a.example/x', 'https://u:p@a.example/x', 'data:x'])
      expect(edgeTarget(other, maps)).toBeUndefined();
    expect(originUrl('/live/x?y', maps[1] as never)).toBe('https://a.example/ch/x?y');
    expect(mapOf('/live/x', maps)?.name).toBe('live');
    expect(mapOf('/lively', maps)?.name).toBe('all');
  });

  it('of playlists are known by their path', () => {
    for (const yes of ['/a.m3u8', '/a.M3U8?x', '/a.mpd', '/a.m3u']) expect(namesPlaylist(yes)).toBe(true);
    for (const no of ['/', '/a.mp4?x.m3u8', '/am3u8', '/a.m3u8/b', '']) expect(namesPlaylist(no)).toBe(false);
  });

  it('lose their delivery directives', () => {
    expect(readDirectives('/a.m3u8?t=1&_HLS_msn=3&_HLS_part=0&u=2&_HLS_skip=v2')).toEqual({
      target: '/a.m3u8?t=1&u=2',
      directives: { msn: 3, part: 0, skip: 'v2', malformed: false },
    });
    expect(readDirectives('/a.m3u8?_HLS_msn=x')).toEqual({ target: '/a.m3u8', directives: { malformed: true } });
    expect(readDirectives('/a.m3u8?x=_HLS_')).toBeUndefined();
  });
});

it('keeps what an origin says of its control to the byte, where the edge offers more', () => {
  const text = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-SERVER-CONTROL:X-A="$\'$&$1"\n';
  expect(offeringBlockingReload(text)).toBe(text.replace('CONTROL:', 'CONTROL:CAN-BLOCK-RELOAD=YES,'));
});

it('is given as it is where its own path is no reference', () => {
  const text = '#EXTM3U\n#EXT-X-TARGETDURATION:4\n/a.ts\n';
  const here = 'http://origin.example//[/main.m3u8';
  const toEdge = (each: string) => URL.parse(each)?.pathname;
  expect(rewriteUris(text, { url: here, toEdge })).toBe(text);
});
