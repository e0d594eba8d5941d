/** One variant, video with audio beside it, each in a folder of its own with a media playlist of that name. */
export function multivariantPlaylist(mediaPlaylist: string): string {
  return `${[
    '#EXTM3U',
    '#EXT-X-VERSION:9',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="Tone",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="audio/${mediaPlaylist}"`,
    '#EXT-X-STREAM-INF:BANDWIDTH=620000,AVERAGE-BANDWIDTH=540000,CODECS="avc1.4D401E,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=25.000,AUDIO="sound"',
    `video/${mediaPlaylist}`,
  ].join('\n')}\n`;
}
