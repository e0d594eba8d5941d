import type { Clock } from '../clock.ts';
import type { Manifest } from '../manifest.ts';

/** More removals than that within a Skip Boundary are not listed: there are no delta updates without date ranges then. */
const removedMax = 500;

/** IDs of the date ranges that a playlist has (RFC 8216bis section 4.4.5.1). */
export function dateRangeIds(text: string): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [, attributes = ''] of text.matchAll(/^#EXT-X-DATERANGE:(.*)$/gm)) {
    const id = idOf(attributes);
    if (id !== undefined) ids.add(id);
  }
  return ids;
}

/** Quoted values may hold what looks like another attribute. */
function idOf(attributes: string): string | undefined {
  for (const [, name, value = ''] of attributes.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^",]*)/g))
    if (name === 'ID') return value.replaceAll('"', '');
  return undefined;
}

type Dated = Pick<Manifest, 'dateRangeIds' | 'canSkipDateRangesSeconds'>;

/**
 * Which date ranges a followed playlist had lately and has no more. A client that asks for delta updates with
 * `_HLS_skip=v2` keeps those it knows until it is told (section 6.2.5.1).
 */
export class RemovedDateRanges {
  readonly #clock: Clock;
  readonly #sinceMs: number;
  /** By ID: when it was gone. */
  readonly #removed = new Map<string, number>();
  #known: ReadonlySet<string>;

  constructor(first: Dated, clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.nowMs();
    this.#known = first.dateRangeIds ?? new Set();
  }

  /** What is gone of versions that a delta update may be a difference to; undefined where nobody knows. */
  advance({ dateRangeIds: ids = new Set(), canSkipDateRangesSeconds }: Dated): readonly string[] | undefined {
    const nowMs = this.#clock.nowMs();
    for (const id of this.#known) if (!ids.has(id)) this.#removed.set(id, nowMs);
    for (const id of ids) this.#removed.delete(id);
    this.#known = ids;
    if (canSkipDateRangesSeconds === undefined) {
      this.#removed.clear();
      return undefined;
    }
    const fromMs = nowMs - canSkipDateRangesSeconds * 1000;
    for (const [id, goneMs] of this.#removed) if (goneMs < fromMs) this.#removed.delete(id);
    return this.#sinceMs > fromMs || this.#removed.size > removedMax ? undefined : [...this.#removed.keys()];
  }
}
