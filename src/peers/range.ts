/** Where a body starts in its representation, as far as the request's Range says so; 0 otherwise. */
export function firstAsked(range: string | undefined): number {
  const match = range === undefined ? null : /^bytes=(\d{1,15})-\d{0,15}$/.exec(range);
  return match === null ? 0 : Number(match[1]);
}
