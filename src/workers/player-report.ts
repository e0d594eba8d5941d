import type { CacheRequest } from '../cache/types.ts';

/** Whether a player says something of itself (CTA-5004): that is heeded by the main thread. */
export function hasPlayerReport({ target, fields }: CacheRequest): boolean {
  return fields.isReporting || (target.includes('?') && target.includes('CMCD='));
}
