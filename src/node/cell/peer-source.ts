import { cacheKey } from '../../cache/key.ts';
import type { Answer, Cache, CacheRequest, Content, MapPolicy, RepresentationAnswer } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import type { Fields } from '../../fields.ts';
import { satisfy } from '../../http/reply/range.ts';
import type { PeerAnswer, PeerRequest, PeerSource } from '../../peers/answer/source.ts';
import type { Span } from '../../semantics/content-range.ts';
import { evaluatePreconditions, ifRangeHolds } from '../../semantics/preconditions.ts';
import { parseRange } from '../../semantics/range.ts';

/** Answers peers as the viewers' side answers viewers: through the cache, from what may be stored, never from a peer. */
export class CachePeerSource implements PeerSource {
  /** Undefined until the node has one: then there is nothing to give. */
  cache: Pick<Cache, 'peek' | 'answer'> | undefined;
  readonly #policies: () => readonly MapPolicy[];

  constructor(policies: () => readonly MapPolicy[]) {
    this.#policies = policies;
  }

  async open(
    { map, key, target, fields, heldOnly }: PeerRequest,
    signal: AbortSignal,
  ): Promise<PeerAnswer | 'denied' | undefined> {
    const policy = this.#policies().find(({ name }) => name === map);
    // A node that is configured otherwise means something else by that key.
    if (this.cache === undefined || policy === undefined || cacheKey({ target, policy }) !== key) return undefined;
    const request: CacheRequest = {
      ...{ method: 'GET', target, scheme: 'http', authority: 'localhost', fields, policy, signal },
      peersForbidden: true,
      originForbidden: heldOnly,
    };
    const answer = this.cache.peek(request) ?? (await this.#answer(this.cache, request));
    if (answer === undefined) return heldOnly ? undefined : 'denied';
    if (answer.kind === 'representation') return answerOf(answer, fields, signal);
    discard(answer);
    // An error may have another end elsewhere; anything else is for one alone.
    return answer.status >= 500 ? undefined : 'denied';
  }

  async #answer(cache: Pick<Cache, 'answer'>, request: CacheRequest): Promise<Answer | undefined> {
    try {
      return await cache.answer(request);
    } catch (error) {
      if (error instanceof EddyError && error.code === 'only-if-cached') return undefined;
      throw error;
    }
  }
}

/** Undefined when a condition of the peer does not hold: what changed is for the origin to say. */
function answerOf(answer: RepresentationAnswer, asked: Fields, signal: AbortSignal): PeerAnswer | undefined {
  const { content, status, fields } = answer;
  const { completeLength } = content;
  if (status !== 200) return whole(answer, signal);
  const both = { request: asked, response: fields };
  const { preconditions = evaluatePreconditions(both) } = answer;
  if (preconditions === 'failed') return undefined;
  if (preconditions === 'not-modified') return { status: 304, fields, completeLength, body: nothing() };
  const range = asked.get('range');
  if (range === undefined) return whole(answer, signal);
  if (!ifRangeHolds(both)) return undefined;
  const span = completeLength === undefined ? undefined : onlySpan(range, completeLength);
  if (span !== undefined) return part(answer, span, signal);
  return asked.has('if-range') ? undefined : whole(answer, signal);
}

function whole({ content, status, fields }: RepresentationAnswer, signal: AbortSignal): PeerAnswer {
  const { completeLength } = content;
  const last = completeLength === undefined ? undefined : completeLength - 1;
  return {
    status,
    fields: completeLength === undefined ? fields : fields.with('Content-Length', completeLength),
    completeLength,
    body: completeLength === 0 ? nothing() : content.read(0, last, signal),
    ...aboutBytes(content, last === undefined ? undefined : { first: 0, last }),
  };
}

function part({ content, fields }: RepresentationAnswer, { first, last }: Span, signal: AbortSignal): PeerAnswer {
  const { completeLength } = content;
  return {
    status: 206,
    fields: fields
      .with('Content-Length', last - first + 1)
      .with('Content-Range', `bytes ${first}-${last}/${completeLength}`),
    completeLength,
    body: content.read(first, last, signal),
    ...aboutBytes(content, { first, last }),
  };
}

function aboutBytes(content: Content, span: Span | undefined) {
  const { fetchedHere } = content;
  return {
    buffersAreKept: true,
    ...(fetchedHere !== undefined && { fetchedHere }),
    ...(span !== undefined && { peek: () => content.peek(span.first, span.last) }),
  };
}

function onlySpan(range: string, completeLength: number): Span | undefined {
  const specs = parseRange(range);
  const spans = specs && satisfy(specs, completeLength);
  return spans?.length === 1 ? spans[0] : undefined;
}

async function* nothing(): AsyncGenerator<Buffer> {}
