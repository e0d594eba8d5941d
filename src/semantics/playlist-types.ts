const playlistTypes: ReadonlySet<string> = new Set([
  ...['application/vnd.apple.mpegurl', 'application/x-mpegurl', 'audio/mpegurl', 'audio/x-mpegurl'],
  'application/dash+xml',
]);

/** Whether a Content-Type is that of a playlist or an MPD. */
export function isPlaylistType(contentType: string | undefined): boolean {
  return contentType !== undefined && playlistTypes.has(mediaTypeOf(contentType));
}

/** Of a Content-Type, in lower case and without parameters. */
export function mediaTypeOf(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}
