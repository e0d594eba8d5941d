import { expect, it } from 'vitest';
import { dateRangeIds, RemovedDateRanges } from '../../src/live/hls/date-ranges.ts';
import { deltaUpdate } from '../../src/live/hls/hls-delta.ts';
import { HandClock } from '../support/hand-clock.ts';

it('date ranges are told by their ID, whatever stands beside it', () => {
  const text = [
    '#EXTM3U',
    '#EXT-X-DATERANGE:ID="a",START-DATE="2026-01-01T00:00:00Z"',
    '#EXT-X-DATERANGE:CLASS="x,ID=no",ID="b, with a comma",X-GRID="1"',
    '#EXT-X-DATERANGE:START-DATE="2026-01-01T00:00:00Z",X-ID="no"',
    '## EXT-X-DATERANGE:ID="no"',
    `#EXT-X-DATERANGE:${'A="'.repeat(5_000)}`,
  ].join('\n');
  expect([...dateRangeIds(text)]).toEqual(['a', 'b, with a comma']);
});

it('date ranges that are gone are listed for as long as a delta update may reach back', () => {
  const clock = new HandClock();
  const version = (...ids: string[]) => ({ dateRangeIds: new Set(ids), canSkipDateRangesSeconds: 12 });
  const removed = new RemovedDateRanges(version('a', 'b'), clock);
  clock.turn(11_000);
  expect(removed.advance(version('b'))).toBeUndefined();
  clock.turn(1_000);
  expect(removed.advance(version('b', 'c'))).toEqual(['a']);
  expect(removed.advance(version('c'))).toEqual(['a', 'b']);
  expect(removed.advance(version('b', 'c'))).toEqual(['a']);
  clock.turn(12_001);
  expect(removed.advance(version('b', 'c'))).toEqual([]);
  // A thousand at once: nobody can be told.
  removed.advance(version(...Array.from({ length: 1_000 }, (_, i) => String(i))));
  expect(removed.advance(version())).toBeUndefined();
});

it('a delta update says again which keys are in force, one of each format', () => {
  const key = (name: string, format = '') => `#EXT-X-KEY:METHOD=SAMPLE-AES,URI="${name}"${format}`;
  const format = ',KEYFORMAT="com.example"';
  const segment = (name: string) => `#EXTINF:2,\n${name}`;
  const lines = ['#EXTM3U', '#EXT-X-TARGETDURATION:2', key('a'), key('b', format), segment('1'), key('c')];
  const of = (more: string[]) => [...lines, ...more, segment('2'), segment('3'), ''].join('\n');
  expect(deltaUpdate(of([]), { segments: 2 })?.split('\n')).toEqual([
    ...['#EXTM3U', '#EXT-X-TARGETDURATION:2', '#EXT-X-SKIP:SKIPPED-SEGMENTS=2'],
    ...[key('c'), key('b', format), '#EXTINF:2,', '3', ''],
  ]);
  const none = deltaUpdate(of(['#EXT-X-KEY:METHOD=NONE']), { segments: 2, removedDateRanges: ['x', 'y'] });
  expect(none?.split('\n').slice(2)).toEqual([
    '#EXT-X-SKIP:SKIPPED-SEGMENTS=2,RECENTLY-REMOVED-DATERANGES="x\ty"',
    ...['#EXTINF:2,', '3', ''],
  ]);
});

it('a delta update says again which initialization section parts by byte range have, with the keys that it was under', () => {
  const key = (name: string) => `#EXT-X-KEY:METHOD=AES-128,URI="${name}"`;
  const [map, none] = ['#EXT-X-MAP:URI="init.mp4"', '#EXT-X-KEY:METHOD=NONE'];
  const after = (part: string, ...lines: string[]) => {
    const old = ['#EXTM3U', '#EXT-X-MAP:URI="old.mp4"', ...lines, '#EXTINF:2,', '1'];
    return deltaUpdate([...old, part, '#EXTINF:2,', '2', ''].join('\n'), { segments: 1 })
      ?.split('\n')
      .slice(2, -4);
  };
  const range = '#EXT-X-PART:DURATION=1,URI="2",BYTERANGE="9@0"';
  expect(after(range, map)).toEqual([map]);
  expect(after(range, map, key('a'))).toEqual([map, key('a')]);
  expect(after(range, key('a'), map)).toEqual([key('a'), map]);
  expect(after(range, key('a'), map, key('b'))).toEqual([key('a'), map, none, key('b')]);
  expect(after(range, key('a'), map, none)).toEqual([key('a'), map, none]);
  expect(after('#EXT-X-PART:DURATION=1,URI="part"', map)).toEqual([]);
});
