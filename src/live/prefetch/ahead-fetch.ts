import type { Cache, CacheRequest, MapPolicy } from '../../cache/types.ts';
import { discard } from '../../discard.ts';
import { Fields } from '../../fields.ts';
import { PieceMemory } from '../../piece-memory.ts';
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
  { target, range }: Pick<MediaReference, 'target' | 'range'>,
  { context, signal }: { context: AheadContext; signal: AbortSignal },
): CacheRequest {
  const { scheme, authority, policy, origin } = context;
  const raw = origin === undefined ? [] : ['Origin', origin];
  if (range !== undefined) raw.push('Range', `bytes=${range.first}-${range.last ?? ''}`);
  return { method: 'GET', target, scheme, authority, policy, fields: new Fields(raw), signal, ahead: true };
}

/**
 * Brings into the cache what a request wants of it, and gives it to nobody. `onBytes` hears of each chunk that had to come
 * from elsewhere, and says whether to go on. Never rejects.
 */
export async function fetchAhead(
  inner: Cache,
  request: CacheRequest,
  onBytes: (count: number) => boolean,
): Promise<'fetched' | 'present' | 'failed'> {
  try {
    if (inner.peek(request) !== undefined) return 'present';
    const answer = await inner.answer(request);
    if (answer.kind === 'passed') discard(answer);
    if (answer.kind === 'passed' || answer.status !== 200) return 'failed';
    if (answer.cacheStatus.hit) return 'present';
    const { first, last } = rangeOf(request, answer.content.completeLength);
    for await (const chunk of answer.content.read(first, last, request.signal)) {
      const goesOn = onBytes(chunk.length);
      PieceMemory.of(chunk)?.letGo();
      if (!goesOn) break;
    }
    return 'fetched';
  } catch {
    return 'failed';
  }
}

function rangeOf(
  { fields }: CacheRequest,
  completeLength: number | undefined,
): { first: number; last: number | undefined } {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(fields.get('range') ?? '') ?? [];
  const end = completeLength === undefined ? undefined : completeLength - 1;
  const last = to === undefined || to === '' ? end : Math.min(Number(to), end ?? Number.POSITIVE_INFINITY);
  return { first: Number(from ?? 0), last };
}
