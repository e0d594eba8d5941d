import { Reader } from './reader.ts';

/** One piece of media that a viewer loads: a segment, or a part of one. */
export interface LivePiece {
  readonly uri: string;
  /** Epoch milliseconds by EXT-X-PROGRAM-DATE-TIME. */
  readonly startMs: number;
  readonly endMs: number;
}

/** What a viewer of the bench needs to know of a media playlist; made for the playlists of our own origin. */
export interface LivePlaylist {
  readonly targetMs: number;
  /** Parts as far as they are listed, else segments; oldest first. */
  readonly pieces: readonly LivePiece[];
  readonly hint: string | undefined;
  /** Directives of the reload that brings the next part; undefined where the server does not block. */
  readonly next: string | undefined;
  readonly holdBackMs: number;
  readonly bytes: Buffer;
}

/** Throws when it is no media playlist with dates. */
export function parseLivePlaylist(bytes: Buffer): LivePlaylist {
  const text = bytes.toString('utf8');
  const target = Number(/^#EXT-X-TARGETDURATION:(\d+)/m.exec(text)?.[1]);
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(text)?.[1] ?? 0);
  if (!text.startsWith('#EXTM3U') || !(target > 0)) throw new Error(`no media playlist: ${text.slice(0, 80)}`);
  const isLow = text.includes('CAN-BLOCK-RELOAD=YES') && text.includes('#EXT-X-PART-INF');
  const pieces: LivePiece[] = [];
  let [sequence, parts, atMs, partAtMs] = [first, 0, Number.NaN, Number.NaN];
  let seconds = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) {
      atMs = Date.parse(line.slice(line.indexOf(':') + 1));
      partAtMs = atMs;
    } else if (line.startsWith('#EXT-X-PART:')) {
      const [, duration, uri = ''] = /DURATION=([\d.]+),URI="([^"]*)"/.exec(line) ?? [];
      const endMs = partAtMs + Number(duration) * 1000;
      pieces.push({ uri, startMs: partAtMs, endMs });
      partAtMs = endMs;
      parts++;
    } else if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8));
    else if (line !== '' && !line.startsWith('#')) {
      if (!isLow) pieces.push({ uri: line, startMs: atMs, endMs: atMs + seconds * 1000 });
      [sequence, parts, atMs] = [sequence + 1, 0, atMs + seconds * 1000];
    }
  }
  const hold = Number(/PART-HOLD-BACK=([\d.]+)/.exec(text)?.[1]) * 1000;
  return {
    targetMs: target * 1000,
    pieces,
    hint: /^#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]*)"/m.exec(text)?.[1],
    next: isLow ? `_HLS_msn=${sequence}&_HLS_part=${parts}` : undefined,
    holdBackMs: isLow ? hold : 3 * target * 1000,
    bytes,
  };
}

export class PlaylistReader extends Reader<LivePlaylist> {
  constructor() {
    super(parseLivePlaylist);
  }
}
