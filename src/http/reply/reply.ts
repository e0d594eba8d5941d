import type { Answer, CacheRequest, Content, PassedAnswer, RepresentationAnswer, Source } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import type { Span } from '../../semantics/content-range.ts';
import { evaluatePreconditions, ifRangeHolds } from '../../semantics/preconditions.ts';
import { RangeReader, type RangeSpec } from '../../semantics/range.ts';
import { cacheStatusMember } from './cache-status.ts';
import { type Common, CommonFields, commonOf, copyFields, sourceOf } from './common-fields.ts';
import { type BodyPart, layOutParts } from './multipart.ts';
import { isEndless, satisfy } from './range.ts';
import { ReplyFields, type SpanOf } from './reply-fields.ts';

/** Content of a reply, not yet read. */
export type ReplyBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'buffers'; readonly buffers: readonly Buffer[] }
  /** Bytes first .. last of the representation; to its end when `last` is undefined. */
  | { readonly kind: 'span'; readonly content: Content; readonly first: number; readonly last: number | undefined }
  | { readonly kind: 'parts'; readonly content: Content; readonly parts: readonly BodyPart[]; readonly tail: Buffer }
  /** Sent as it comes; `length` when it was announced. */
  | { readonly kind: 'stream'; readonly body: AsyncIterable<Buffer>; readonly length: number | undefined };

/** A response ready for a Responder. */
export interface Reply {
  readonly status: number;
  readonly fields: ReplyFields;
  readonly body: ReplyBody;
  /** Where the first byte comes from, for the log. */
  readonly source?: Source | undefined;
}

/** A closed range of a representation whose length is not known yet: to be looked at before the status is. */
interface PendingSpan {
  readonly pending: Span;
}

/** Makes replies of what the cache answers: status, fields, and which bytes. */
export class ReplyPlanner {
  readonly #common = new CommonFields();
  readonly #ranges = new RangeReader();

  plan(answer: Answer, request: CacheRequest): Reply | PendingSpan {
    if (answer.kind === 'passed') return planPassed(answer, request);
    if (answer.status !== 200 || (request.method !== 'GET' && request.method !== 'HEAD'))
      return this.planWhole(answer, request);
    if (request.fields.isPlain) return this.planWhole(answer, request);
    // RFC 9110 section 13.2.1: preconditions count only where the answer would be 200 without them.
    if (request.fields.isConditional) {
      const { preconditions = evaluatePreconditions({ request: request.fields, response: answer.fields }) } = answer;
      if (preconditions === 'not-modified') return this.#notModified(answer, request);
      if (preconditions === 'failed') return refuse(answer, request, { status: 412, fields: [] });
    }
    const specs = this.#rangesOf(answer, request);
    return specs === undefined ? this.planWhole(answer, request) : this.#planRanges(answer, request, specs);
  }

  /** The whole representation, whatever was asked: always a right answer to a range (RFC 9110 section 14.2). */
  planWhole(answer: RepresentationAnswer, request: CacheRequest): Reply {
    const { content, status } = answer;
    const common = this.#common.of(answer, request, 0);
    const { source } = common;
    if (isContentless(status)) return { status, fields: common.fields, source, body: none };
    const length = content.completeLength;
    if (common.whole === undefined || common.whole.length !== length)
      common.whole = { length, fields: wholeFields(answer, common) };
    const { fields } = common.whole;
    if (request.method === 'HEAD' || length === 0) return { status, fields, source, body: none };
    const last = length === undefined ? undefined : length - 1;
    return { status, fields, source, body: { kind: 'span', content, first: 0, last } };
  }

  /** 206 for a span that exists, or begins, while the complete length is unknown (RFC 9110 section 14.4, RFC 8673). */
  planPending(
    answer: RepresentationAnswer,
    request: CacheRequest,
    { span, body }: { span: Span; body: AsyncIterable<Buffer> },
  ): Reply {
    const length = isEndless(span) ? undefined : span.last - span.first + 1;
    const { fields: common, source } = this.#common.of(answer, request, span.first);
    const own = ['Content-Range', `bytes ${span.first}-${span.last}/*`];
    if (length !== undefined) own.push('Content-Length', String(length));
    return { status: 206, fields: common.and(...own), source, body: { kind: 'stream', body, length } };
  }

  /** Only while If-Range holds (RFC 9110 sections 13.1.5 and 14.2). */
  #rangesOf(answer: RepresentationAnswer, request: CacheRequest): readonly RangeSpec[] | undefined {
    const specs = this.#ranges.of(request.method, request.fields);
    if (specs === undefined || !ifRangeHolds({ request: request.fields, response: answer.fields })) return undefined;
    return specs;
  }

  #planRanges(answer: RepresentationAnswer, request: CacheRequest, specs: readonly RangeSpec[]): Reply | PendingSpan {
    const length = answer.content.completeLength;
    if (length === undefined) {
      const [spec] = specs;
      const closed = specs.length === 1 && spec !== undefined && 'first' in spec && spec.last !== undefined;
      // Open, suffix and multiple ranges need a length that nobody knows yet.
      return closed ? { pending: { first: spec.first, last: spec.last } } : this.planWhole(answer, request);
    }
    const spans = satisfy(specs, length);
    if (spans === undefined) return this.planWhole(answer, request);
    const [span] = spans;
    if (span === undefined) {
      return refuse(answer, request, { status: 416, fields: ['Content-Range', `bytes */${length}`] });
    }
    return spans.length === 1 ? this.#planSpan(answer, request, { span, length }) : planParts(answer, request, spans);
  }

  #planSpan(
    answer: RepresentationAnswer,
    request: CacheRequest,
    { span, length }: { span: Span; length: number },
  ): Reply {
    const common = this.#common.of(answer, request, span.first);
    const { first, last } = span;
    const kept = common.span;
    const same = kept !== undefined && kept.first === first && kept.last === last && kept.length === length;
    const fields = same ? kept.fields : spanFields(common, { first, last, length });
    if (!same) common.span = { first, last, length, fields };
    const body: ReplyBody = { kind: 'span', content: answer.content, first, last };
    return { status: 206, fields, source: common.source, body };
  }

  #notModified(answer: RepresentationAnswer, request: CacheRequest): Reply {
    const common = this.#common.of(answer, request, 0);
    common.notModified ??= notModifiedFields(answer, request);
    return { status: 304, fields: common.notModified, source: common.source, body: none };
  }
}

const none = { kind: 'none' } as const;

function spanFields(common: Common, part: SpanOf): ReplyFields {
  return ReplyFields.ofSpan(part, common.acceptRanges ? common.fields : common.fields.and('Accept-Ranges', 'bytes'));
}

function wholeFields({ fields, status, content }: RepresentationAnswer, common: Common): ReplyFields {
  const ours: string[] = [];
  if (content.completeLength !== undefined) {
    ours.push('Content-Length', String(content.completeLength));
    if (status === 200 && !common.acceptRanges) ours.push('Accept-Ranges', 'bytes');
  }
  const own = ReplyFields.ours(ours, common.fields);
  // Outside 206 and 416 it has no meaning (RFC 9110 section 14.4): a field like any other, passed on as it was stored.
  const contentRange = fields.get('content-range');
  return contentRange === undefined ? own : own.and('Content-Range', contentRange);
}

function planParts(answer: RepresentationAnswer, { policy }: CacheRequest, spans: readonly Span[]): Reply {
  const { content, cacheStatus } = answer;
  const completeLength = content.completeLength ?? 0;
  const layout = layOutParts(spans, { completeLength, contentType: answer.fields.get('content-type') });
  const source = sourceOf(answer, spans[0]?.first ?? 0);
  // Content-Type is the multipart's here; each part has the representation's own (RFC 9110 section 14.6).
  const common = commonOf(answer.fields.without(['content-type']), { policy, cacheStatus, source });
  const own = ['Content-Type', layout.contentType, 'Content-Length', String(layout.contentLength)];
  if (!common.acceptRanges) own.push('Accept-Ranges', 'bytes');
  const body: ReplyBody = { kind: 'parts', content, parts: layout.parts, tail: layout.tail };
  return { status: 206, fields: new ReplyFields(own, common.fields), source, body };
}

/** RFC 9110 section 15.4.5: what a stored response needs for its update, and nothing that describes content. */
function notModifiedFields(answer: RepresentationAnswer, { policy }: CacheRequest): ReplyFields {
  const kept = new Set([...keptBy304, ...policy.targetedFields]);
  if (!answer.fields.has('etag')) kept.add('last-modified');
  const lines = [...answer.fields.lines()].filter(
    ([name]) => kept.has(name.toLowerCase()) || name.toLowerCase().startsWith('access-control-'),
  );
  const { cacheStatus } = answer;
  return commonOf(new Fields(lines.flat()), { policy, cacheStatus, source: sourceOf(answer, 0) }).fields;
}

const keptBy304 = [
  ...['age', 'cache-control', 'cache-status', 'content-location', 'date', 'etag', 'expires', 'vary', 'via'],
  ...['cdn-cache-control', 'surrogate-control', 'timing-allow-origin'],
];

/** 412 or 416: nothing of the representation but what identifies it. */
function refuse(
  answer: RepresentationAnswer,
  { policy }: CacheRequest,
  { status, fields }: { status: number; fields: readonly string[] },
): Reply {
  const kept = [...answer.fields.lines()].filter(([name]) => keptByRefusals.has(name.toLowerCase()));
  const { cacheStatus } = answer;
  const source = sourceOf(answer, 0);
  const common = commonOf(new Fields(kept.flat()), { policy, cacheStatus, source });
  const own = common.fields.and(...fields, 'Content-Length', '0', 'Cache-Control', 'no-store');
  return { status, fields: own, source, body: none };
}

const keptByRefusals: ReadonlySet<string> = new Set([
  ...['date', 'etag', 'via', 'vary', 'cache-status', 'access-control-allow-origin', 'timing-allow-origin'],
]);

/** The origin's own answer as it is; its Content-Length stays when it is one (RFC 9110 section 8.6). */
function planPassed(answer: PassedAnswer, { policy }: CacheRequest): Reply {
  const { raw } = copyFields(answer.fields, policy);
  // Members of caches behind us stay before ours.
  raw.push('Cache-Status', cacheStatusMember(answer.cacheStatus));
  const contentRange = answer.fields.get('content-range');
  if (contentRange !== undefined) raw.push('Content-Range', contentRange);
  const length = contentLengthOf(answer.fields);
  // RFC 9110 section 8.6: never in 1xx and 204.
  if (length !== undefined && answer.status !== 204) raw.push('Content-Length', String(length));
  const { status, body } = answer;
  return { status, fields: new ReplyFields(raw), body: { kind: 'stream', body, length } };
}

/** RFC 9110 sections 15.3.5, 15.3.6, 15.4.5 */
export function isContentless(status: number): boolean {
  return status === 204 || status === 304 || status === 205;
}
