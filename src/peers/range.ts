/** Where a body starts in its representation, as far as the request's Range says so; 0 otherwise. */
export function firstAsked(range: string | undefined): number {
  const match = range === undefined ? null : /^bytes=(\d{1,15})-\d{0,15}$/.exec(range);
  return match === null ? 0 : Number(match[1]);
}

/** Content-Range of a 206 (RFC 9110 section 14.4); undefined when it is not one of bytes. */
export function contentRange(value: string | undefined): { first: number; last: number } | undefined {
  const match = value === undefined ? null : /^bytes (\d{1,15})-(\d{1,15})\/(?:\d{1,15}|\*)$/.exec(value);
  if (match === null || Number(match[2]) < Number(match[1])) return undefined;
  return { first: Number(match[1]), last: Number(match[2]) };
}
