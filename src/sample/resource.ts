import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** One representation as the sample origin has it: whole, in memory. */
export interface Resource {
  readonly bytes: Buffer;
  readonly contentType: string;
  readonly cacheControl: string;
  /** Strong: it is made from the bytes, so nodes with the same sample agree on it. */
  readonly etag: string;
  /** As an HTTP date. */
  readonly lastModified: string;
}

interface ResourceAbout {
  readonly contentType: string;
  readonly cacheControl: string;
  readonly modifiedMs: number;
}

export function resourceOf(bytes: Buffer, { contentType, cacheControl, modifiedMs }: ResourceAbout): Resource {
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 20)}"`;
  return { bytes, contentType, cacheControl, etag, lastModified: new Date(modifiedMs).toUTCString() };
}

/** An answer without its framing; `bytes` is a view, not a copy. */
export interface ResourceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: Buffer;
}

/** GET by RFC 9110: preconditions first (section 13.2.2), then at most one range (section 14). */
export function answerFrom(resource: Resource, request: IncomingHttpHeaders): ResourceAnswer {
  const { bytes, etag, lastModified } = resource;
  const validators = { ETag: etag, 'Last-Modified': lastModified, 'Cache-Control': resource.cacheControl };
  const failed = precondition(resource, request);
  if (failed !== undefined) return { status: failed, headers: validators, bytes: nothing };
  const headers = { ...validators, 'Content-Type': resource.contentType, 'Accept-Ranges': 'bytes' };
  const range = rangeApplies(resource, request) ? oneRange(request.range, bytes.length) : undefined;
  if (range === undefined) return { status: 200, headers, bytes };
  if (range === 'unsatisfiable')
    return { status: 416, headers: { 'Content-Range': `bytes */${bytes.length}` }, bytes: nothing };
  const { first, last } = range;
  return {
    status: 206,
    headers: { ...headers, 'Content-Range': `bytes ${first}-${last}/${bytes.length}` },
    bytes: bytes.subarray(first, last + 1),
  };
}

const nothing = Buffer.alloc(0);

function precondition({ etag, lastModified }: Resource, request: IncomingHttpHeaders): 304 | 412 | undefined {
  const modifiedMs = Date.parse(lastModified);
  const ifMatch = request['if-match'];
  const unmodifiedSince = Date.parse(request['if-unmodified-since'] ?? '');
  if (ifMatch !== undefined) {
    if (ifMatch.trim() !== '*' && !entityTags(ifMatch).includes(etag)) return 412;
  } else if (modifiedMs > unmodifiedSince) return 412;
  const ifNoneMatch = request['if-none-match'];
  if (ifNoneMatch !== undefined)
    return ifNoneMatch.trim() === '*' || entityTags(ifNoneMatch.replaceAll('W/', '')).includes(etag) ? 304 : undefined;
  return modifiedMs <= Date.parse(request['if-modified-since'] ?? '') ? 304 : undefined;
}

/** Tags of the sample hold no comma, so whatever a comma splits is not one of them anyway. */
const entityTags = (list: string): string[] => list.split(',').map((tag) => tag.trim());

/** If-Range (RFC 9110 section 13.1.5): the strong tag, or exactly our date. */
function rangeApplies({ etag, lastModified }: Resource, request: IncomingHttpHeaders): boolean {
  const ifRange = request['if-range'];
  return ifRange === undefined || ifRange === etag || ifRange === lastModified;
}

/** Undefined: no Range, or one to be ignored, as an origin may ignore several ranges at once. */
function oneRange(
  value: string | undefined,
  length: number,
): { first: number; last: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/i.exec(value ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return undefined;
    return Number(to) === 0 ? 'unsatisfiable' : { first: Math.max(0, length - Number(to)), last: length - 1 };
  }
  if (to !== '' && Number(to) < Number(from)) return undefined;
  if (Number(from) >= length) return 'unsatisfiable';
  return { first: Number(from), last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}
