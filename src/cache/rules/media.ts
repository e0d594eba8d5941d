import type { Fields } from '../../fields.ts';
import { isPlaylistType, mediaTypeOf } from '../../semantics/playlist-types.ts';

/** What a response carries, as far as its freshness depends on it. */
type MediaKind = 'segment' | 'playlist' | undefined;

const segmentExtensions: ReadonlySet<string> = new Set([
  ...['ts', 'm2ts', 'm4s', 'm4f', 'm4i', 'mp4', 'm4v', 'm4a', 'cmfv', 'cmfa', 'cmft', 'cmfm', 'webm', 'mkv'],
  ...['aac', 'ac3', 'ec3', 'mp3', 'vtt', 'webvtt', 'ttml'],
]);
const playlistExtensions: ReadonlySet<string> = new Set(['m3u8', 'm3u', 'mpd']);
/** A page under a segment's name is an origin's way of saying that something is wrong. */
const neverMedia: ReadonlySet<string> = new Set(['text/html', 'application/json', 'application/problem+json']);

/** Recognises media segments and playlists by the extension of the target's path, playlists by their type too. */
export function mediaKind(target: string, fields: Fields): MediaKind {
  const type = fields.get('content-type');
  if (isPlaylistType(type)) return 'playlist';
  if (type !== undefined && neverMedia.has(mediaTypeOf(type))) return undefined;
  const extension = /\.([a-z0-9]{1,8})$/i.exec(target.split('?', 1)[0] ?? '')?.[1]?.toLowerCase() ?? '';
  if (playlistExtensions.has(extension)) return 'playlist';
  return segmentExtensions.has(extension) ? 'segment' : undefined;
}
