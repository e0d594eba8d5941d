import { asEddyError, EddyError } from '../errors.ts';
import type { WireError } from './messages.ts';

/** What another thread may know of a failure. */
export function toWire(error: unknown): WireError {
  const { code, message, side, fwd } = asEddyError(error);
  return { code, message, side, fwd };
}

export function fromWire({ code, message, side, fwd }: WireError): EddyError {
  return new EddyError(code, message, { side, fwd });
}
