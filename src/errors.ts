import type { ForwardReason } from './semantics/forward-reason.ts';

/** Whose fault it is, as seen from this node. */
export type ErrorSide = 'downstream' | 'upstream' | 'peer' | 'internal';

export type ErrorCode =
  // downstream
  | 'bad-request'
  | 'request-too-large'
  | 'target-not-mapped' // it would lead out of what the map offers
  | 'client-gone'
  // upstream
  | 'origin-refused' // no connection
  | 'origin-timeout' // connect, first byte or idle deadline
  | 'origin-broken' // reset, malformed, or shorter than it said
  | 'origin-busy' // our own request budget for it is used up
  | 'origin-status' // an answer we cannot use
  | 'origin-changed' // another validator than the bytes already sent
  | 'only-if-cached'
  // peer
  | 'peer-timeout' // silent or too slow
  | 'peer-broken' // gone, or not speaking the protocol
  | 'peer-corrupt' // bytes that are not those that were promised
  // internal
  | 'disk-full'
  | 'disk-failed'
  | 'aborted'
  | 'draining'
  | 'internal';

interface AboutError {
  readonly side: ErrorSide;
  readonly retryable?: boolean;
  readonly cause?: unknown;
  readonly fwd?: ForwardReason | undefined;
}

/** Every error Eddy raises: a code, and whose fault it is. Only http/ maps codes to status codes. */
export class EddyError extends Error {
  readonly code: ErrorCode;
  readonly side: ErrorSide;
  /** Of a body from an origin: whether its rest may be asked for. */
  readonly retryable: boolean;
  /** Why the cache had gone on with the request that failed; undefined: it had not, or that is not known. */
  readonly fwd: ForwardReason | undefined;

  constructor(code: ErrorCode, message: string, about: AboutError) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause });
    this.name = 'EddyError';
    this.code = code;
    this.side = about.side;
    this.retryable = about.retryable ?? false;
    this.fwd = about.fwd;
  }

  /** The same for a request that went on because of that. */
  of(fwd: ForwardReason): EddyError {
    const { code, message, side } = this;
    return new EddyError(code, message, { side, cause: this.cause ?? this, fwd: this.fwd ?? fwd });
  }
}

/** The failure of what a request went on for says why it did. */
export async function because<T>(fwd: ForwardReason, answering: Promise<T>): Promise<T> {
  try {
    return await answering;
  } catch (error) {
    const went = error instanceof EddyError && (error.side === 'upstream' || error.side === 'peer');
    throw went ? error.of(fwd) : error;
  }
}

/** Any failure as an EddyError. */
export function asEddyError(error: unknown): EddyError {
  if (error instanceof EddyError) return error;
  return new EddyError('internal', `unexpected failure: ${messageOf(error)}`, { side: 'internal', cause: error });
}

/** What went wrong, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Why an answer is no longer wanted. */
export function viewerGone(): EddyError {
  return new EddyError('client-gone', 'the viewer left', { side: 'downstream' });
}
