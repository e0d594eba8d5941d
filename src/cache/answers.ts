import { Fields } from '../fields.ts';
import type { ContentRange } from './content-range.ts';
import { passedFields } from './forwarded-fields.ts';
import type { Outcome } from './response-fetch.ts';
import type { Answer, CacheRequest, CacheStatus, Supply } from './types.ts';

/** The origin's own answer, for one viewer alone. */
export function passedAnswer(supply: Supply, status: CacheStatus): Answer {
  return {
    kind: 'passed',
    status: supply.status,
    fields: passedFields(supply.fields, supply.responseTimeMs),
    cacheStatus: { ...status, fwdStatus: supply.status, detail: supply.source },
    body: supply.body,
  };
}

/** An error of the origin that several waited for. */
export function sharedAnswer(
  { supply, bytes }: Extract<Outcome, { kind: 'shared' }>,
  request: CacheRequest,
  status: CacheStatus,
): Answer {
  return {
    ...passedAnswer(supply, status),
    kind: 'passed',
    body: once(request.method === 'HEAD' ? Buffer.alloc(0) : bytes),
  };
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

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  if (bytes.length > 0) yield bytes;
}
