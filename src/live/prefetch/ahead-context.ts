import type { CacheRequest, MapPolicy } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';
import type { MediaReference } from './sequences.ts';

/** What is known of a viewer when something is fetched ahead of it: nothing but where it comes from and asks. */
export interface AheadContext {
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly policy: MapPolicy;
  /** The Origin field. */
  readonly origin: string | undefined;
}

export function contextOf({ target, scheme, authority, policy, fields }: CacheRequest): AheadContext {
  return { target, scheme, authority, policy, origin: fields.get('origin') };
}

/** What is fetched is for all. */
export function requestAhead(
  { target, range }: MediaReference,
  { context, signal }: { context: AheadContext; signal: AbortSignal },
): CacheRequest {
  const { scheme, authority, policy, origin } = context;
  const raw = origin === undefined ? [] : ['Origin', origin];
  if (range !== undefined) raw.push('Range', `bytes=${range.first}-${range.last ?? ''}`);
  return { method: 'GET', target, scheme, authority, policy, fields: new Fields(raw), signal, ahead: true };
}
