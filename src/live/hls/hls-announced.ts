import type { types } from 'hls-parser';
import { type Announced, announcedMax } from '../manifest.ts';
import { decoded } from './hls-uris.ts';

const keysMax = announcedMax / 2;

type Segment = types.MediaPlaylist['segments'][number];
type Byterange = Segment['byterange'];

/** What a media playlist names, in the order a player asks for it. At most `announcedMax`, the newest. */
export function announcedByMedia(
  playlist: types.MediaPlaylist,
  { text, url }: { text: string; url: string },
): readonly Announced[] {
  const keys = keysIn(text, url);
  const list = new AnnouncedList(url);
  for (const segment of playlist.segments.slice(-announcedMax)) {
    // The parser gives the segment that is not complete yet another's map.
    if (segment.uri !== '' && segment.map?.uri !== undefined) list.add('init', segment.map);
    for (const part of segment.parts) {
      if (part.gap === true) continue;
      list.add(part.hint ? 'hint' : 'part', part);
    }
    if (segment.uri !== '' && segment.gap !== true) list.add('segment', segment);
  }
  for (const { uri } of playlist.renditionReports) list.add('playlist', { uri });
  return [...keys, ...list.announced.slice(keys.length - announcedMax)];
}

/** What a multivariant playlist names: the media playlists of its variants and renditions. */
export function announcedByMultivariant(
  playlist: types.MasterPlaylist,
  { text, url }: { text: string; url: string },
): readonly Announced[] {
  const keys = keysIn(text, url);
  const list = new AnnouncedList(url);
  for (const variant of playlist.variants.slice(0, announcedMax)) {
    list.add('playlist', variant);
    for (const each of [...variant.audio, ...variant.video, ...variant.subtitles]) list.add('playlist', each);
  }
  return [...keys, ...list.announced.slice(0, announcedMax - keys.length)];
}

/** The newest keys: of every format, where the parser knows the last one only. */
function keysIn(text: string, url: string): readonly Announced[] {
  const list = new AnnouncedList(url);
  for (const [, attributes = ''] of text.matchAll(/^#EXT-X-(?:SESSION-)?KEY:(.*)$/gm))
    list.add('key', { uri: /(?:^|,)URI="([^"]*)"/.exec(attributes)?.[1] });
  return list.announced.slice(-keysMax);
}

interface Named {
  readonly uri?: string | undefined;
  readonly byterange?: Partial<Byterange> | undefined;
  readonly duration?: number | undefined;
}

/** Resources and playlists are listed once, byte ranges of one resource each. */
class AnnouncedList {
  readonly announced: Announced[] = [];
  readonly #url: string;
  readonly #once = new Set<string>();
  #end: { readonly uri: string | undefined; readonly offset: number } = { uri: undefined, offset: 0 };

  constructor(url: string) {
    this.#url = url;
  }

  add(role: Announced['role'], { uri, byterange, duration }: Named): void {
    if (uri === undefined || uri === '' || uri.includes('{$')) return;
    const url = URL.parse(decoded(uri), this.#url);
    if (url === null || !/^https?:$/.test(url.protocol)) return;
    const range = this.#rangeOf(uri, byterange);
    const name = `${role} ${url.href} ${range?.first} ${range?.last}`;
    if (this.#once.has(name)) return;
    this.#once.add(name);
    url.hash = '';
    this.announced.push({
      role,
      url: url.href,
      ...(range && { range }),
      ...(duration !== undefined && { durationSeconds: duration }),
    });
  }

  /** A byte range without offset begins where the one before ends (RFC 8216bis section 4.4.4.2). */
  #rangeOf(uri: string, byterange: Named['byterange']): Announced['range'] {
    if (byterange === undefined) return undefined;
    const { length } = byterange;
    const { offset = 0 } = byterange;
    const next = this.#end.uri === uri ? this.#end.offset : 0;
    const first = offset >= 0 ? offset : next;
    if (!Number.isSafeInteger(first)) return undefined;
    if (length === undefined) return first === 0 ? undefined : { first };
    if (!Number.isSafeInteger(first + length) || length < 1) return undefined;
    this.#end = { uri, offset: first + length };
    return { first, last: first + length - 1 };
  }
}
