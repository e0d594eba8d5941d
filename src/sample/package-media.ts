import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Cuts the CMAF tracks that make-media.sh made into the forms the sample serves:
 * whole files for DASH SegmentBase and HLS byte ranges, numbered segments for DASH SegmentTemplate and HLS fMP4.
 * Usage: node src/sample/package-media.ts TRACKS_DIR MEDIA_DIR
 */
async function packageMedia(tracksDir: string, mediaDir: string): Promise<void> {
  const tracks: Track[] = [];
  for (const about of wanted) tracks.push(await readTrack(join(tracksDir, `${about.name}.mp4`), about));
  const write = async (path: string, data: string | Buffer): Promise<void> => {
    await mkdir(join(mediaDir, path, '..'), { recursive: true });
    await writeFile(join(mediaDir, path), data);
  };
  for (const track of tracks) {
    await write(`single/${track.name}.mp4`, track.file);
    await write(`single/${track.name}.m3u8`, mediaPlaylist(track, byteRanges(track)));
    await write(`cmaf/${track.name}/init.mp4`, track.file.subarray(0, track.initEnd));
    await write(`cmaf/${track.name}/index.m3u8`, mediaPlaylist(track, numberedFiles(track)));
    for (const [i, segment] of track.segments.entries())
      await write(`cmaf/${track.name}/${segmentName(i)}`, track.file.subarray(segment.first, segment.end));
  }
  await write(
    'single/index.m3u8',
    multivariant(tracks, (track) => `${track.name}.m3u8`),
  );
  await write(
    'cmaf/index.m3u8',
    multivariant(tracks, (track) => `${track.name}/index.m3u8`),
  );
  await write('single/index.mpd', mpd(tracks, 'urn:mpeg:dash:profile:isoff-on-demand:2011', segmentBase));
  await write('cmaf/index.mpd', mpd(tracks, 'urn:mpeg:dash:profile:isoff-live:2011', segmentTemplate));
  await write('hls-ts/index.m3u8', transportStreamMultivariant(tracks));
}

interface TrackAbout {
  readonly name: string;
  readonly codecs: string;
  readonly size?: readonly [width: number, height: number];
}

const wanted: readonly TrackAbout[] = [
  { name: 'high', codecs: 'avc1.4D401E', size: [640, 360] },
  { name: 'low', codecs: 'avc1.42C00D', size: [320, 180] },
  { name: 'audio', codecs: 'mp4a.40.2' },
];

interface Segment {
  readonly first: number;
  readonly end: number;
  readonly duration: number;
}

interface Track extends TrackAbout {
  readonly file: Buffer;
  /** Ticks a second, of the durations. */
  readonly timescale: number;
  /** Bytes before this are ftyp and moov. */
  readonly initEnd: number;
  readonly sidxFirst: number;
  readonly sidxEnd: number;
  readonly segments: readonly Segment[];
}

async function readTrack(path: string, about: TrackAbout): Promise<Track> {
  const file = await readFile(path);
  const boxes = [...topLevelBoxes(file)];
  const moov = boxes.find((box) => box.type === 'moov');
  const sidx = boxes.find((box) => box.type === 'sidx');
  if (moov === undefined || sidx === undefined || sidx.first !== moov.end)
    throw new Error(`${path}: expected ftyp, moov, sidx, moof…, found ${boxes.map((box) => box.type).join(' ')}`);
  const index = readSidx(file.subarray(sidx.first, sidx.end), sidx.end);
  const end = index.segments.at(-1)?.end;
  if (end !== file.length) throw new Error(`${path}: sidx ends at ${end}, the file at ${file.length}`);
  return { ...about, file, initEnd: moov.end, sidxFirst: sidx.first, sidxEnd: sidx.end, ...index };
}

function* topLevelBoxes(file: Buffer): Generator<{ type: string; first: number; end: number }> {
  for (let first = 0; first < file.length; ) {
    const end = first + file.readUInt32BE(first);
    if (end < first + 8) throw new Error(`box at ${first}: 64-bit and open sizes are not expected here`);
    yield { type: file.toString('latin1', first + 4, first + 8), first, end };
    first = end;
  }
}

/** Segment index box, ISO/IEC 14496-12 section 8.16.3; `base` is the first byte after it. */
function readSidx(box: Buffer, base: number): { timescale: number; segments: Segment[] } {
  const wide = box.readUInt8(8) === 1;
  const timescale = box.readUInt32BE(16);
  const offsetAt = wide ? 28 : 24;
  let first = base + (wide ? Number(box.readBigUInt64BE(offsetAt)) : box.readUInt32BE(offsetAt));
  let at = offsetAt + (wide ? 8 : 4);
  const count = box.readUInt16BE(at + 2);
  const segments: Segment[] = [];
  for (at += 4; segments.length < count; at += 12) {
    const end = first + (box.readUInt32BE(at) & 0x7fffffff);
    segments.push({ first, end, duration: box.readUInt32BE(at + 4) });
    first = end;
  }
  return { timescale, segments };
}

const segmentName = (i: number): string => `${i}.m4s`;
const seconds = (ticks: number, track: Track): string => (ticks / track.timescale).toFixed(6);
const totalTicks = (track: Track): number => track.segments.reduce((sum, each) => sum + each.duration, 0);
const bitsPerSecond = (track: Track): number =>
  Math.ceil((track.file.length * 8 * track.timescale) / totalTicks(track));

function peakBitsPerSecond(track: Track): number {
  const rates = track.segments.map((each) => ((each.end - each.first) * 8 * track.timescale) / each.duration);
  return Math.ceil(Math.max(...rates));
}

interface Addressing {
  readonly map: string;
  segment(segment: Segment, i: number): readonly string[];
}

const numberedFiles = (_: Track): Addressing => ({
  map: '#EXT-X-MAP:URI="init.mp4"',
  segment: (_segment, i) => [segmentName(i)],
});

const byteRanges = (track: Track): Addressing => ({
  map: `#EXT-X-MAP:URI="${track.name}.mp4",BYTERANGE="${track.initEnd}@0"`,
  segment: ({ first, end }) => [`#EXT-X-BYTERANGE:${end - first}@${first}`, `${track.name}.mp4`],
});

function mediaPlaylist(track: Track, addressing: Addressing): string {
  const target = Math.round(Math.max(...track.segments.map((each) => each.duration / track.timescale)));
  return lines([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${target}`,
    '#EXT-X-PLAYLIST-TYPE:VOD',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    addressing.map,
    ...track.segments.flatMap((each, i) => [
      `#EXTINF:${seconds(each.duration, track)},`,
      ...addressing.segment(each, i),
    ]),
    '#EXT-X-ENDLIST',
  ]);
}

function multivariant(tracks: readonly Track[], uri: (track: Track) => string): string {
  const audio = audioOf(tracks);
  return lines([
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Tone",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="${uri(audio)}"`,
    ...pictures(tracks).flatMap((track) => [`${streamInf(track, audio)},AUDIO="sound"`, uri(track)]),
  ]);
}

function transportStreamMultivariant(tracks: readonly Track[]): string {
  const variants = pictures(tracks).flatMap((track) => [streamInf(track, audioOf(tracks)), `${track.name}/index.m3u8`]);
  return lines(['#EXTM3U', '#EXT-X-VERSION:6', '#EXT-X-INDEPENDENT-SEGMENTS', ...variants]);
}

function streamInf(track: Track, audio: Track): string {
  // MPEG-TS adds up to a tenth to what the CMAF tracks weigh; one figure above both serves every form.
  const peak = Math.ceil((peakBitsPerSecond(track) + peakBitsPerSecond(audio)) * 1.1);
  const average = Math.ceil((bitsPerSecond(track) + bitsPerSecond(audio)) * 1.1);
  const resolution = track.size === undefined ? '' : `,RESOLUTION=${track.size.join('x')}`;
  return `#EXT-X-STREAM-INF:BANDWIDTH=${peak},AVERAGE-BANDWIDTH=${average},CODECS="${track.codecs},${audio.codecs}"${resolution},FRAME-RATE=25.000`;
}

function mpd(tracks: readonly Track[], profile: string, addressing: (track: Track) => readonly string[]): string {
  // The shortest track's: beyond it, a template by number would name a segment that is not there.
  const duration = Math.min(...tracks.map((track) => totalTicks(track) / track.timescale));
  const representation = (track: Track): string[] => {
    const size = track.size === undefined ? '' : ` width="${track.size[0]}" height="${track.size[1]}" frameRate="25"`;
    const rate = track.size === undefined ? ' audioSamplingRate="48000"' : '';
    return [
      `      <Representation id="${track.name}" codecs="${track.codecs}" bandwidth="${bitsPerSecond(track)}"${size}${rate}>`,
      ...addressing(track).map((line) => `        ${line}`),
      '      </Representation>',
    ];
  };
  return lines([
    '<?xml version="1.0" encoding="utf-8"?>',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" profiles="${profile}" minBufferTime="PT2S" mediaPresentationDuration="PT${duration.toFixed(3)}S">`,
    '  <Period id="0" start="PT0S">',
    '    <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" par="16:9">',
    ...pictures(tracks).flatMap(representation),
    '    </AdaptationSet>',
    '    <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1" lang="en">',
    ...representation(audioOf(tracks)),
    '    </AdaptationSet>',
    '  </Period>',
    '</MPD>',
  ]);
}

const segmentBase = (track: Track): string[] => [
  `<BaseURL>${track.name}.mp4</BaseURL>`,
  `<SegmentBase indexRange="${track.sidxFirst}-${track.sidxEnd - 1}">`,
  `  <Initialization range="0-${track.initEnd - 1}"/>`,
  '</SegmentBase>',
];

function segmentTemplate(track: Track): string[] {
  const each = track.segments[0]?.duration;
  if (track.segments.slice(0, -1).some((segment) => segment.duration !== each))
    throw new Error(`${track.name}: a template by number needs segments of one duration`);
  return [
    `<SegmentTemplate timescale="${track.timescale}" duration="${each}" startNumber="0" initialization="${track.name}/init.mp4" media="${track.name}/$Number$.m4s"/>`,
  ];
}

const pictures = (tracks: readonly Track[]): Track[] => tracks.filter((track) => track.size !== undefined);

function audioOf(tracks: readonly Track[]): Track {
  const audio = tracks.find((track) => track.size === undefined);
  if (audio === undefined) throw new Error('no audio track');
  return audio;
}

const lines = (list: readonly string[]): string => `${list.join('\n')}\n`;

const [, , tracksDir, mediaDir] = process.argv;
if (tracksDir === undefined || mediaDir === undefined)
  throw new Error('usage: node src/sample/package-media.ts TRACKS_DIR MEDIA_DIR');
await packageMedia(tracksDir, mediaDir);
