import { Fields } from '../../fields.ts';
import type { ContentRange } from '../../semantics/content-range.ts';
import { passedFields } from '../rules/forwarded-fields.ts';
import type { Supply } from '../supply.ts';
import type { Answer, CacheRequest, CacheStatus, Source } from '../types.ts';
import type { Outcome } from './response-fetch.ts';

interface For {
  readonly request: CacheRequest;
  /** Told how many bytes a viewer was given, and where they came from. */
  readonly onServed: (source: Source, bytes: number) => void;
}

/** The origin's own answer, for one request alone. */
export function passedAnswer(supply: Supply, status: CacheStatus, { request, onServed }: For): Answer {
  const { source, body } = supply;
  return {
    kind: 'passed',
    status: supply.status,
    fields: passedFields(supply.fields, supply.responseTimeMs),
    cacheStatus: { ...status, fwdStatus: supply.status, detail: source },
    // What is fetched ahead of viewers is given to nobody.
    body: request.ahead === true ? body : counted(body, (bytes) => onServed(source, bytes)),
  };
}

/** An error of the origin that several waited for. */
export function sharedAnswer(
  { supply, bytes }: Extract<Outcome, { kind: 'shared' }>,
  status: CacheStatus,
  to: For,
): Answer {
  const body = once(to.request.method === 'HEAD' ? Buffer.alloc(0) : bytes);
  return passedAnswer({ ...supply, body }, status, to);
}

/** A 206 that is not the range asked for: what the origin chose to send, while its bytes are stored for what they are. */
export function verbatimAnswer(answer: Answer, how: { part: ContentRange; signal: AbortSignal }): Answer {
  if (answer.kind === 'passed') return answer;
  const { first, last, completeLength } = how.part;
  const fields = new Fields([
    ...answer.fields.raw,
    'Content-Range',
    `bytes ${first}-${last}/${completeLength ?? '*'}`,
    'Content-Length',
    String(last - first + 1),
  ]);
  return {
    kind: 'passed',
    status: 206,
    fields,
    cacheStatus: answer.cacheStatus,
    body: answer.content.read(first, last, how.signal),
  };
}

/** The same body, its bytes counted as they are taken. */
function counted(body: AsyncIterable<Buffer>, count: (bytes: number) => void): AsyncIterable<Buffer> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = body[Symbol.asyncIterator]();
      return {
        next: async () => {
          const result = await iterator.next();
          if (result.done !== true) count(result.value.length);
          return result;
        },
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
