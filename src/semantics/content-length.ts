import type { Fields } from '../fields.ts';

/** Content-Length (RFC 9110 section 8.6); undefined when it is absent or no length. */
export function contentLengthOf(fields: Fields): number | undefined {
  const value = fields.get('content-length');
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
