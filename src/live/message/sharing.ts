import type { Fields } from '../../fields.ts';
import { tokensOf } from '../../semantics/token-list.ts';

/** Fields that say that a response is for one viewer, or not to be kept. */
const cacheControls = ['cache-control', 'cdn-cache-control', 'eddy-cache-control', 'surrogate-control'];

/** Whether a response is not to be mirrored: private or no-store, with a cookie, or made for what few requests share. */
export function refusesSharing(fields: Fields): boolean {
  if (fields.has('set-cookie')) return true;
  if (cacheControls.some((name) => /\b(?:private|no-store)\b/i.test(fields.get(name) ?? ''))) return true;
  return tokensOf(fields.get('vary') ?? '').some((name) => name !== 'accept-encoding' && name !== 'origin');
}
