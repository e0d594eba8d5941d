import type { CacheStatus } from '../../cache/types.ts';
import { EddyError, type ErrorCode } from '../../errors.ts';
import { cacheStatusMember } from './cache-status.ts';
import type { Reply } from './reply.ts';
import { textReply } from './text-reply.ts';

/** The one place where an error becomes a status code (RFC 9110 section 15). */
const statusOf: Readonly<Record<ErrorCode, number>> = {
  'bad-request': 400,
  'request-too-large': 413,
  'target-not-mapped': 404,
  'client-gone': 400,
  'origin-refused': 502,
  'origin-timeout': 504,
  'origin-broken': 502,
  'origin-busy': 503,
  'origin-status': 502,
  'origin-changed': 502,
  // RFC 9111 section 5.2.1.7
  'only-if-cached': 504,
  'peer-timeout': 504,
  'peer-broken': 502,
  'peer-corrupt': 502,
  'disk-full': 500,
  'disk-failed': 500,
  aborted: 503,
  draining: 503,
  internal: 500,
};

/** What a viewer is told. Messages of upstream and internal errors stay in the log: they may name hosts and paths. */
const textOf: Partial<Record<ErrorCode, string>> = {
  'origin-refused': 'the origin cannot be reached',
  'origin-timeout': 'the origin did not answer in time',
  'origin-broken': 'the origin broke off its answer',
  'origin-busy': 'too many requests to the origin at once',
  'origin-status': 'the origin gave an answer that cannot be used',
  'origin-changed': 'the content changed while it was being read',
  'only-if-cached': 'not stored, and the request allows nothing else',
  'peer-timeout': 'the content did not arrive in time',
  'peer-broken': 'the content broke off on its way',
  'peer-corrupt': 'the content arrived damaged',
  draining: 'this node is going away',
  aborted: 'the work was given up',
};

const retryAfterSeconds = 1;

export function errorCode(error: unknown): ErrorCode {
  return error instanceof EddyError ? error.code : 'internal';
}

/** The answer to a request that failed before anything was sent. */
export function errorReply(error: unknown, method: string, { crossOrigin = false } = {}): Reply {
  const code = errorCode(error);
  const status = statusOf[code];
  const downstream = error instanceof EddyError && error.side === 'downstream';
  const text = downstream ? error.message : (textOf[code] ?? 'something went wrong here');
  const fields = ['Cache-Status', cacheStatusMember(statusOfFailed(error, method))];
  // It says nothing of the content; without this a player takes it for a lost connection, and gives up.
  if (crossOrigin) fields.push('Access-Control-Allow-Origin', '*');
  if (status === 503) fields.push('Retry-After', String(retryAfterSeconds));
  return textReply(status, text, { fields, close: downstream || code === 'draining' });
}

/** What is known of a request that ended in an error: whether it went on. */
export function statusOfFailed(error: unknown, method: string): CacheStatus {
  if (!(error instanceof EddyError)) return { hit: false };
  if (error.fwd !== undefined) return { hit: false, fwd: error.fwd };
  if (error.side !== 'upstream') return { hit: false };
  return { hit: false, fwd: method === 'GET' || method === 'HEAD' ? 'miss' : 'method' };
}
