import { EddyError } from '../errors.ts';
import type { WireError } from './messages.ts';

/** What another thread may know of a failure. */
export function toWire(error: unknown): WireError {
  if (error instanceof EddyError) {
    const { code, message, side, retryable, fwd } = error;
    return { code, message, side, retryable, fwd };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'internal',
    message: `unexpected failure: ${message}`,
    side: 'internal',
    retryable: false,
    fwd: undefined,
  };
}

export function fromWire({ code, message, side, retryable, fwd }: WireError): EddyError {
  return new EddyError(code, message, { side, retryable, fwd });
}
