import type { DeliveryDirectives } from '../hls/delivery-directives.ts';
import type { Manifest } from '../manifest.ts';
import type { AwaitedVersion } from './waiters.ts';

/** A followed playlist, as far as it matters here. */
interface Holding {
  /** Whether requests for versions to come are held. */
  readonly blocks: boolean;
  /** For how many milliseconds a request for the newest version is better held; 0: answer now. */
  readonly worthHoldingMs: number;
  readonly version: { readonly manifest: Manifest };
}

interface Asking {
  readonly directives: DeliveryDirectives | undefined;
  readonly request: { readonly peersForbidden?: boolean };
}

/** How many segments beyond the last one may be asked for (RFC 8216bis section 6.2.5.2). */
const segmentsAheadMax = 2;

/** Why a request with these directives is to be refused with 400; undefined where it is not. */
export function refusalOf(
  { newest, live, kind, updateSeconds }: Manifest,
  { msn, part, malformed }: DeliveryDirectives,
): string | undefined {
  if (malformed) return '_HLS_msn and _HLS_part must be whole numbers';
  if (part !== undefined && msn === undefined) return '_HLS_part needs _HLS_msn';
  if (msn === undefined || !live || newest === undefined) return undefined;
  const open = newest.part === undefined ? newest.mediaSequence + 1 : newest.mediaSequence;
  if (msn > open - 1 + segmentsAheadMax) return `_HLS_msn is ${msn}: the last is ${open - 1}`;
  if (part === undefined || kind !== 'll-hls' || msn !== open) return undefined;
  const last = newest.part ?? -1;
  const ahead = updateSeconds < 1 ? Math.ceil(3 / updateSeconds) : 3;
  return part > last + ahead ? `_HLS_part is ${part}: the last is ${last}` : undefined;
}

/** Whether a playlist has that segment or part, or a later one, or will get no more (RFC 8216bis section 6.2.5.2). */
export function has({ newest, live }: Manifest, { msn, part }: AwaitedVersion): boolean {
  if (!live) return true;
  if (newest === undefined) return false;
  if (newest.mediaSequence > msn) return true;
  if (newest.mediaSequence < msn) return false;
  return newest.part === undefined || (part !== undefined && newest.part >= part);
}

/** What the next version has that this one has not: the part or segment after the newest. */
export function nextOf({ kind, newest }: Manifest): AwaitedVersion | undefined {
  if (newest === undefined) return undefined;
  const { mediaSequence, part } = newest;
  if (kind !== 'll-hls') return { msn: mediaSequence + 1, part: undefined };
  return part === undefined ? { msn: mediaSequence + 1, part: 0 } : { msn: mediaSequence, part: part + 1 };
}

/** What a request is held for. `forMs`: no longer than that; else as long as the standard says. */
export interface Held {
  readonly wanted: AwaitedVersion;
  readonly forMs?: number;
}

/** What a request is to be held for; undefined where it can be answered, or is to be refused. */
export function heldFor(followed: Holding, { directives, request }: Asking): Held | undefined {
  const { manifest } = followed.version;
  if (directives === undefined || !followed.blocks) {
    const wanted = nextOf(manifest);
    const forMs = request.peersForbidden === true ? 0 : followed.worthHoldingMs;
    return wanted === undefined || forMs <= 0 ? undefined : { wanted, forMs };
  }
  const { msn, part } = directives;
  if (msn === undefined || refusalOf(manifest, directives) !== undefined) return undefined;
  const wanted = { msn, part };
  return has(manifest, wanted) ? undefined : { wanted };
}

/** Whether a request cannot be answered by the version at hand, or is to be refused. */
export function mustWait(followed: Holding, asking: Asking): boolean {
  const { directives } = asking;
  if (directives === undefined || !followed.blocks) return heldFor(followed, asking) !== undefined;
  const { msn, part, malformed } = directives;
  if (malformed || (msn === undefined && part !== undefined)) return true;
  return msn !== undefined && !has(followed.version.manifest, { msn, part });
}
