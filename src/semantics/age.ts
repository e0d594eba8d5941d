import type { Fields } from '../fields.ts';

/** What a delta-seconds too large for 31 bits counts as (RFC 9111 section 1.2.2). */
export const deltaSecondsMax = 2 ** 31;

/** The first member of Age, in seconds; 0 when it is absent or invalid (RFC 9111 section 5.1). */
export function ageOf(fields: Fields): number {
  const first = fields.get('age')?.split(',', 1)[0]?.trim() ?? '';
  return /^\d+$/.test(first) ? Math.min(Number(first), deltaSecondsMax) : 0;
}
