import type { CacheRequest, RepresentationAnswer } from '../../cache/types.ts';
import type { Span } from '../../semantics/content-range.ts';
import { isEndless } from './range.ts';
import type { Reply, ReplyPlanner } from './reply.ts';

/** How much of such a span is held back, to see that it exists, before the answer commits to it. */
const heldBytesMax = 1024 * 1024;

/**
 * The reply to a closed range while the complete length is unknown. Waits for the span (its first MiB when it is longer);
 * if the representation ends meanwhile, the ordinary rules decide. A longer one that then ends early is cut visibly. An
 * endless one is sent from its first byte on as it comes, to where the representation ends.
 */
export async function settlePending(
  answer: RepresentationAnswer,
  request: CacheRequest,
  { span, planner }: { span: Span; planner: ReplyPlanner },
): Promise<Reply> {
  const { content } = answer;
  const endless = isEndless(span);
  const iterator = content.read(span.first, endless ? undefined : span.last, request.signal)[Symbol.asyncIterator]();
  const wanted = endless ? 1 : Math.min(heldBytesMax, span.last - span.first + 1);
  const held: Buffer[] = [];
  for (let bytes = 0; bytes < wanted && content.completeLength === undefined; ) {
    const next = await iterator.next();
    if (next.done === true) break;
    held.push(next.value);
    bytes += next.value.length;
    if (bytes >= wanted && content.completeLength === undefined) {
      return planner.planPending(answer, request, { span, body: resume(held, iterator) });
    }
  }
  await iterator.return?.();
  const reply = planner.plan(answer, request);
  return 'pending' in reply ? planner.planWhole(answer, request) : reply;
}

/** What was held, then the rest, without a generator in between. */
function resume(held: Buffer[], iterator: AsyncIterator<Buffer>): AsyncIterable<Buffer> {
  const joined: AsyncIterator<Buffer> = {
    next: () => {
      const value = held.shift();
      return value === undefined ? iterator.next() : Promise.resolve({ done: false, value });
    },
    return: async () => {
      held.length = 0;
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => joined };
}
