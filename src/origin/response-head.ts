import type { Dispatcher } from 'undici';
import type { Fields } from '../fields.ts';

export interface ResponseHead {
  readonly status: number;
  /** End-to-end fields in order and case as received. */
  readonly fields: Fields;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/** Name, value, name, value as Latin-1, from undici's bytes of them. */
export function rawFields(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  if (!Array.isArray(raw)) return [];
  // The parser leaves optional whitespace (RFC 9112 section 5.1) at the end of values.
  return raw.map((part) => part.toString('latin1').replace(/[ \t]+$/, ''));
}

/** Why a response that parses cannot be passed on. */
export function unusable(status: number, raw: readonly string[]): string | undefined {
  if (status === 101) return 'an upgrade that nobody asked for';
  if (status < 100 || status > 599) return `the status ${status}`;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]?.toLowerCase() !== 'transfer-encoding') continue;
    if (raw[i + 1]?.toLowerCase() !== 'chunked') return `the transfer coding ${raw[i + 1]}`;
  }
  return undefined;
}
