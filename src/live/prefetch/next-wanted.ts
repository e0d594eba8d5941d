import type { ClientData } from './cmcd.ts';
import type { MediaReference } from './sequences.ts';

interface PlanOptions {
  /** What the player says of itself. */
  readonly data: ClientData | undefined;
  /** How many segments are fetched ahead of a player; 0: none. */
  readonly segments: number;
  /** What follows in the same rendition, by the manifest. */
  readonly next: (count: number) => readonly MediaReference[];
  /** What a reference of the player stands for; undefined where the edge has no part in it. */
  readonly named: (reference: string, range: string | undefined) => MediaReference | undefined;
}

/** Media in the buffer below which a player is likely to change the rendition, and needs the line for itself. */
const bufferMsLow = 4_000;

/**
 * What a player will ask for next. It knows best itself (`nor`, `nrr`); else the manifest tells. While it starts, seeks or
 * recovers (`su`, `bs`) only its own word counts; with a low buffer (`bl`) one segment is enough; paused, nothing is.
 */
export function nextWanted({ data, segments, next, named }: PlanOptions): readonly MediaReference[] {
  if (segments === 0 || data?.playbackRate === 0) return [];
  const own = (data?.next ?? []).flatMap(({ reference, range }) => named(reference, range) ?? []);
  if (own.length > 0) return own.slice(0, segments);
  if (data?.startup === true || data?.starved === true || isOther(data)) return [];
  const low = data?.bufferMs !== undefined && data.bufferMs < bufferMsLow;
  return next(low ? 1 : segments);
}

/** Manifests, keys and initialization sections are followed by something else than their like. */
function isOther(data: ClientData | undefined): boolean {
  const type = data?.objectType;
  return type === 'm' || type === 'k' || type === 'i';
}
