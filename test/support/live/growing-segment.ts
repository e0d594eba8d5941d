import type { Clock } from './clock.ts';
import type { Rendition } from './rendition.ts';
import { type Answer, foundMedia, refused } from './site.ts';

/** First .. last as asked; `last` undefined: to the end. */
export interface AskedBytes {
  readonly first: number;
  readonly last: number | undefined;
}

export function rangeOf(field: string | undefined): AskedBytes | undefined {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(field ?? '') ?? [];
  if (first === undefined) return undefined;
  return { first: Number(first), last: last === undefined || last === '' ? undefined : Number(last) };
}

/**
 * A segment of which parts are still to come, each sent as soon as it is there and not before (RFC 8216bis section
 * 6.2.6). With a range the length is not known yet: `bytes first-last/*` (RFC 8673), where an open end is as far ahead
 * as the part that comes next.
 */
export async function growingSegment(about: {
  rendition: Rendition;
  clock: Clock;
  segment: number;
  range: AskedBytes | undefined;
  etag: string;
  signal: AbortSignal;
}): Promise<Answer> {
  const { rendition, segment, range, etag } = about;
  const firstPart = segment * rendition.partsPerSegment;
  const all = Array.from({ length: rendition.partsPerSegment }, (_, i) => firstPart + i);
  if (range === undefined)
    return foundMedia(slices(about, { parts: all, first: 0, end: Infinity }), { type: 'm4s', etag });
  if (range.first >= rendition.segmentBytes(segment).length) return refused(416, 'beyond the segment');
  const end = range.last === undefined ? await endOfNextPart(about, range.first) : range.last + 1;
  const contentRange = `bytes ${range.first}-${end - 1}/*`;
  const { fields, body } = foundMedia(slices(about, { parts: all, first: range.first, end }), { type: 'm4s', etag });
  return { status: 206, fields: { ...fields, 'Content-Range': contentRange }, body };
}

type Source = Parameters<typeof growingSegment>[0];

/** Where the part ends that has that byte, once it has ended. */
async function endOfNextPart({ rendition, clock, segment, signal }: Source, first: number): Promise<number> {
  let [part, end] = [segment * rendition.partsPerSegment, 0];
  for (; end <= first; part++) end += rendition.partBytes(part).length;
  await clock.until(rendition.partStartMs(part), signal);
  return end;
}

async function* slices(
  { rendition, clock, signal }: Source,
  { parts, first, end }: { parts: readonly number[]; first: number; end: number },
): AsyncGenerator<Buffer> {
  let offset = 0;
  for (const part of parts) {
    if (offset >= end) return;
    const bytes = rendition.partBytes(part);
    const slice = bytes.subarray(Math.max(0, first - offset), Math.max(0, end - offset));
    offset += bytes.length;
    if (slice.length === 0) continue;
    await clock.until(rendition.partStartMs(part + 1), signal);
    yield slice;
  }
}
