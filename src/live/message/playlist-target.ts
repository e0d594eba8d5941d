/** Whether the path ends in .m3u8, .m3u or .mpd. Called for every request: looks at a few characters only. */
export function namesPlaylist(target: string): boolean {
  const mark = target.indexOf('?');
  const end = mark < 0 ? target.length : mark;
  switch (target.charCodeAt(end - 1) | 0x20) {
    case 0x38:
      return endsWith(target, '.m3u8', end);
    case 0x75:
      return endsWith(target, '.m3u', end);
    case 0x64:
      return endsWith(target, '.mpd', end);
    default:
      return false;
  }
}

function endsWith(target: string, ending: string, end: number): boolean {
  return target.slice(end - ending.length, end).toLowerCase() === ending;
}
