import type { Answer, CacheRequest, Content, Source } from '../cache/types.ts';
import { Fields } from '../fields.ts';
import { cacheStatusMember } from './cache-status.ts';
import { corsFields } from './cors.ts';
import { layOutParts, type Part } from './multipart.ts';
import { evaluatePreconditions, ifRangeHolds } from './precondition.ts';
import { parseRange, type RangeSpec, type Span, satisfy } from './range.ts';

/** Content of a reply, not yet read. */
export type ReplyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'buffers'; readonly buffers: readonly Buffer[] }
  /** Bytes first .. last of the representation; to its end when `last` is undefined. */
  | { readonly kind: 'span'; readonly content: Content; readonly first: number; readonly last: number | undefined }
  | { readonly kind: 'parts'; readonly content: Content; readonly parts: readonly Part[]; readonly tail: Buffer }
  /** Sent as it comes; `length` when it was announced. */
  | { readonly kind: 'stream'; readonly body: AsyncIterable<Buffer>; readonly length: number | undefined };

/** A response with its fields flat, ready for a Responder. */
export interface Reply {
  readonly status: number;
  readonly fields: readonly string[];
  readonly body: ReplyBody;
  /** Where the first byte comes from, for the log. */
  readonly source?: Source | undefined;
}

/** A closed range of a representation whose length is not known yet: to be looked at before the status is. */
export interface PendingSpan {
  readonly pending: Span;
}

type Representation = Extract<Answer, { kind: 'representation' }>;

/** The reply to `request` that this answer of the cache makes: status, fields, and which bytes. */
export function planReply(answer: Answer, request: CacheRequest): Reply | PendingSpan {
  if (answer.kind === 'passed') return planPassed(answer, request);
  if (answer.status !== 200 || (request.method !== 'GET' && request.method !== 'HEAD'))
    return planWhole(answer, request);
  // RFC 9110 section 13.2.1: preconditions count only where the answer would be 200 without them.
  const verdict = evaluatePreconditions({ request: request.fields, response: answer.fields });
  if (verdict === 'not-modified') return notModified(answer, request);
  if (verdict === 'failed') return refuse(answer, request, { status: 412, fields: [] });
  const specs = rangeOf(answer, request);
  return specs === undefined ? planWhole(answer, request) : planRanges(answer, request, specs);
}

/** 206 for a span that exists while the complete length is still unknown (RFC 9110 section 14.4). */
export function replyToPending(
  answer: Representation,
  request: CacheRequest,
  { span, body }: { span: Span; body: AsyncIterable<Buffer> },
): Reply {
  const length = span.last - span.first + 1;
  const common = commonFields(answer, request, span.first);
  common.fields.push('Content-Range', `bytes ${span.first}-${span.last}/*`, 'Content-Length', String(length));
  return { ...common, status: 206, body: { kind: 'stream', body, length } };
}

/** The whole representation, whatever was asked: always a right answer to a range (RFC 9110 section 14.2). */
export function planWhole(answer: Representation, request: CacheRequest): Reply {
  const { content, status } = answer;
  const length = content.completeLength;
  const common = commonFields(answer, request, 0);
  if (isContentless(status)) return { ...common, status, body: { kind: 'none' } };
  // Outside 206 and 416 it has no meaning (RFC 9110 section 14.4): a field like any other, passed on as it was stored.
  const contentRange = answer.fields.get('content-range');
  if (contentRange !== undefined) common.fields.push('Content-Range', contentRange);
  if (length !== undefined) {
    common.fields.push('Content-Length', String(length));
    if (status === 200 && !common.acceptRanges) common.fields.push('Accept-Ranges', 'bytes');
  }
  if (request.method === 'HEAD' || length === 0) return { ...common, status, body: { kind: 'none' } };
  const last = length === undefined ? undefined : length - 1;
  return { ...common, status, body: { kind: 'span', content, first: 0, last } };
}

/** Only for GET, and only while If-Range holds (RFC 9110 sections 13.1.5 and 14.2). */
function rangeOf(answer: Representation, request: CacheRequest): readonly RangeSpec[] | undefined {
  if (request.method !== 'GET') return undefined;
  const range = request.fields.get('range');
  if (range === undefined || !ifRangeHolds({ request: request.fields, response: answer.fields })) return undefined;
  return parseRange(range);
}

function planRanges(answer: Representation, request: CacheRequest, specs: readonly RangeSpec[]): Reply | PendingSpan {
  const length = answer.content.completeLength;
  if (length === undefined) {
    const [spec] = specs;
    const closed = specs.length === 1 && spec !== undefined && 'first' in spec && spec.last !== undefined;
    // Open, suffix and multiple ranges need a length that nobody knows yet.
    return closed ? { pending: { first: spec.first, last: spec.last } } : planWhole(answer, request);
  }
  const spans = satisfy(specs, length);
  if (spans === undefined) return planWhole(answer, request);
  const [span] = spans;
  if (span === undefined) {
    return refuse(answer, request, { status: 416, fields: ['Content-Range', `bytes */${length}`] });
  }
  return spans.length === 1
    ? planSpan(answer, request, { span, length })
    : planParts(answer, request, { spans, length });
}

function planSpan(
  answer: Representation,
  request: CacheRequest,
  { span, length }: { span: Span; length: number },
): Reply {
  const common = commonFields(answer, request, span.first);
  common.fields.push('Content-Range', `bytes ${span.first}-${span.last}/${length}`);
  common.fields.push('Content-Length', String(span.last - span.first + 1));
  if (!common.acceptRanges) common.fields.push('Accept-Ranges', 'bytes');
  return { ...common, status: 206, body: { kind: 'span', content: answer.content, ...span } };
}

function planParts(
  answer: Representation,
  request: CacheRequest,
  { spans, length }: { spans: readonly Span[]; length: number },
): Reply {
  const layout = layOutParts(spans, { completeLength: length, contentType: answer.fields.get('content-type') });
  // Content-Type is the multipart's here; each part has the representation's own (RFC 9110 section 14.6).
  const typeless = { ...answer, fields: answer.fields.without(['content-type']) };
  const common = commonFields(typeless, request, spans[0]?.first ?? 0);
  common.fields.push('Content-Type', layout.contentType, 'Content-Length', String(layout.contentLength));
  if (!common.acceptRanges) common.fields.push('Accept-Ranges', 'bytes');
  const body: ReplyBody = { kind: 'parts', content: answer.content, parts: layout.parts, tail: layout.tail };
  return { ...common, status: 206, body };
}

/** RFC 9110 section 15.4.5: what a stored response needs for its update, and nothing that describes content. */
function notModified(answer: Representation, request: CacheRequest): Reply {
  const kept = new Set([...notModifiedFields, ...request.policy.targetedFields]);
  if (!answer.fields.has('etag')) kept.add('last-modified');
  const lines = [...answer.fields.lines()].filter(
    ([name]) => kept.has(name.toLowerCase()) || name.toLowerCase().startsWith('access-control-'),
  );
  const common = commonFields({ ...answer, fields: new Fields(lines.flat()) }, request, 0);
  return { ...common, status: 304, body: { kind: 'none' } };
}

const notModifiedFields = [
  ...['age', 'cache-control', 'cache-status', 'content-location', 'date', 'etag', 'expires', 'vary', 'via'],
  ...['cdn-cache-control', 'surrogate-control', 'timing-allow-origin'],
];

/** 412 or 416: nothing of the representation but what identifies it. */
function refuse(
  answer: Representation,
  request: CacheRequest,
  { status, fields }: { status: number; fields: readonly string[] },
): Reply {
  const kept = [...answer.fields.lines()].filter(([name]) => refusalFields.has(name.toLowerCase()));
  const common = commonFields({ ...answer, fields: new Fields(kept.flat()) }, request, 0);
  common.fields.push(...fields, 'Content-Length', '0', 'Cache-Control', 'no-store');
  return { ...common, status, body: { kind: 'none' } };
}

const refusalFields: ReadonlySet<string> = new Set([
  ...['date', 'etag', 'via', 'vary', 'cache-status', 'access-control-allow-origin', 'timing-allow-origin'],
]);

/** The origin's own answer as it is; its Content-Length stays when it is one (RFC 9110 section 8.6). */
function planPassed(answer: Extract<Answer, { kind: 'passed' }>, request: CacheRequest): Reply {
  const { fields } = copyFields(answer, request, answer.cacheStatus);
  const contentRange = answer.fields.get('content-range');
  if (contentRange !== undefined) fields.push('Content-Range', contentRange);
  const announced = answer.fields.get('content-length');
  const length = announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : undefined;
  // RFC 9110 section 8.6: never in 1xx and 204.
  if (length !== undefined && answer.status !== 204) fields.push('Content-Length', String(length));
  return { status: answer.status, fields, body: { kind: 'stream', body: answer.body, length } };
}

function commonFields(
  answer: Representation,
  request: CacheRequest,
  first: number,
): Copied & { readonly source: Source } {
  const { cacheStatus, content } = answer;
  const source = cacheStatus.hit ? content.sourceOf(first) : (cacheStatus.detail ?? content.sourceOf(first));
  return { ...copyFields(answer, request, { ...cacheStatus, detail: source }), source };
}

interface Copied {
  readonly fields: string[];
  /** Whether the origin said something about ranges itself. */
  readonly acceptRanges: boolean;
}

/** Everything end-to-end, then what the HTTP side adds. Cache-Status members of caches behind us stay before ours. */
function copyFields(
  answer: { readonly fields: Fields },
  request: CacheRequest,
  cacheStatus: Answer['cacheStatus'],
): Copied {
  const { raw } = answer.fields;
  const fields: string[] = [];
  const seen = { date: false, allowsOrigin: false, timingAllowed: false, acceptRanges: false };
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const lower = name.toLowerCase();
    if (notCopied.has(lower)) continue;
    if (lower === 'date') seen.date = true;
    else if (lower === 'access-control-allow-origin') seen.allowsOrigin = true;
    else if (lower === 'timing-allow-origin') seen.timingAllowed = true;
    else if (lower === 'accept-ranges') seen.acceptRanges = true;
    fields.push(name, raw[i + 1] as string);
  }
  if (!seen.date) fields.push('Date', new Date().toUTCString());
  if (request.policy.cors) fields.push(...corsFields(seen));
  fields.push('Cache-Status', cacheStatusMember(cacheStatus));
  return { fields, acceptRanges: seen.acceptRanges };
}

/** Framing is the transport's, and a stored response's Content-Range describes what was fetched, not what is sent. */
const notCopied: ReadonlySet<string> = new Set([
  ...['content-length', 'content-range', 'transfer-encoding', 'trailer'],
  ...['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'te'],
]);

/** RFC 9110 sections 15.3.5, 15.3.6, 15.4.5 */
export function isContentless(status: number): boolean {
  return status === 204 || status === 304 || status === 205;
}
