import { EddyError } from '../errors.ts';

/** How far an upstream request had come when it failed. */
export type Phase = 'connect' | 'headers' | 'body';

/**
 * What undici or the network reported, as Eddy's error.
 * @param origin scheme, host and port of the upstream, for the message
 */
export function upstreamFailure(cause: unknown, about: { origin: string; phase: Phase }): EddyError {
  if (cause instanceof EddyError) return cause;
  const { code, message } = describe(cause);
  if (requestFaults.has(code)) return new EddyError('bad-request', message, { side: 'downstream', cause });
  if (closings.has(code)) return originClosed();
  const unconnected = connectTimeouts.has(code) ? 'origin-timeout' : 'origin-refused';
  const kind = about.phase === 'connect' ? unconnected : 'origin-broken';
  const what = `${about.origin} ${phases[about.phase]}: ${message}`;
  return new EddyError(kind, what, { side: 'upstream', retryable: true, cause });
}

/** A response that HTTP does not allow or that cannot be passed on. */
export function malformed(origin: string, what: string): EddyError {
  return new EddyError('origin-broken', `${origin} sent ${what}`, { side: 'upstream', retryable: true });
}

/** The deadline of that phase passed. */
export function late(origin: string, phase: Phase, afterMs: number): EddyError {
  const message = `${origin} did not ${missing[phase]} within ${afterMs} ms`;
  return new EddyError('origin-timeout', message, { side: 'upstream', retryable: true });
}

/** The caller's request body broke off. */
export function clientGone(cause: unknown): EddyError {
  if (cause instanceof EddyError) return cause;
  return new EddyError('client-gone', 'the request body broke off', { side: 'downstream', cause });
}

/** The caller's signal was aborted. */
export function aborted(signal: AbortSignal): EddyError {
  return new EddyError('aborted', 'the origin request was aborted', { side: 'internal', cause: signal.reason });
}

/** The supplier was closed. */
export function originClosed(): EddyError {
  return new EddyError('draining', 'the origin supplier is closed', { side: 'internal' });
}

const phases: Record<Phase, string> = {
  connect: 'could not be connected',
  headers: 'broke off before its response',
  body: 'broke off inside its body',
};

const missing: Record<Phase, string> = {
  connect: 'take a connection',
  headers: 'send response fields',
  body: 'send more of its body',
};

const connectTimeouts = new Set(['UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT']);

const requestFaults = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

const closings = new Set(['UND_ERR_DESTROYED', 'UND_ERR_CLOSED']);

function describe(cause: unknown): { code: string; message: string } {
  if (!(cause instanceof Error)) return { code: '', message: String(cause) };
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
  // The AggregateError of a connection tried over several addresses has an empty message.
  return { code, message: cause.message === '' ? code || cause.name : cause.message };
}
