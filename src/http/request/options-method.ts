import type { Fields } from '../../fields.ts';
import type { Reply } from '../reply/reply.ts';
import { emptyReply, textReply } from '../reply/text-reply.ts';
import type { ReadRequest } from './request.ts';

const allowedMethods = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/** What is answered here without looking at any map: TRACE, and OPTIONS that is meant for this server. */
export function localReply({ method, target, fields }: ReadRequest): Reply | undefined {
  // RFC 9110 section 9.3.8: never reflected, since the request may carry credentials.
  if (method === 'TRACE') return textReply(405, 'TRACE is not supported', { fields: ['Allow', allowedMethods] });
  if (method !== 'OPTIONS') return undefined;
  // RFC 9110 section 7.6.2: with no forwards left the answer is ours.
  const mine = target === '*' || Number(fields.get('max-forwards') ?? 1) === 0;
  return mine ? emptyReply(204, ['Allow', allowedMethods]) : undefined;
}

/** The fields as they go forward: Max-Forwards of OPTIONS counted down (RFC 9110 section 7.6.2). */
export function forwardedFields(method: string, fields: Fields): Fields {
  if (method !== 'OPTIONS') return fields;
  const left = fields.get('max-forwards');
  return left !== undefined && /^\d{1,9}$/.test(left) ? fields.with('Max-Forwards', Number(left) - 1) : fields;
}
