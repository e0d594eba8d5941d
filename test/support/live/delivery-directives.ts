/** What a request asks of a playlist (RFC 8216bis section 6.2.5). */
export interface Directives {
  readonly sequence: number | undefined;
  readonly part: number | undefined;
  readonly skip: false | 'YES' | 'v2';
}

/** What the playlist has, and what it offers. */
export interface Offered {
  /** Media sequence number of the last complete segment. */
  readonly lastSequence: number;
  /** Parts of the segment after it. */
  readonly openParts: number;
  readonly partsPerSegment: number;
  readonly partTargetSeconds: number;
}

/** Why a request is refused: the rule it breaks. */
export type Breach =
  | 'a part without a media sequence number'
  | 'a directive that is no decimal integer'
  | 'a directive twice'
  | 'a media sequence number too far ahead'
  | 'a part beyond the advance part limit'
  | 'a skip that is neither YES nor v2'
  | 'a skip of date ranges that was not offered'
  | 'an unknown directive';

/** Reads the directives of a query, or says which rule they break. */
export function readDirectives(
  query: URLSearchParams,
  { skipsDateRanges }: { skipsDateRanges: boolean } = { skipsDateRanges: false },
): Directives | Breach {
  for (const name of new Set(query.keys())) {
    if (!name.startsWith('_HLS_')) continue;
    if (!['_HLS_msn', '_HLS_part', '_HLS_skip'].includes(name)) return 'an unknown directive';
    if (query.getAll(name).length > 1) return 'a directive twice';
  }
  const [sequence, part] = ['_HLS_msn', '_HLS_part'].map((name) => query.get(name) ?? undefined);
  if ([sequence, part].some((each) => each !== undefined && !/^\d{1,15}$/.test(each)))
    return 'a directive that is no decimal integer';
  if (part !== undefined && sequence === undefined) return 'a part without a media sequence number';
  const skip = query.get('_HLS_skip');
  if (skip === 'v2' && !skipsDateRanges) return 'a skip of date ranges that was not offered';
  if (skip !== null && skip !== 'YES' && skip !== 'v2') return 'a skip that is neither YES nor v2';
  return { sequence: asNumber(sequence), part: asNumber(part), skip: skip ?? false };
}

const asNumber = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));

/**
 * The parts that must have ended before the request is answered, counted from the first part of media sequence number
 * 0; undefined: it asks for none. Or the rule it breaks (section 6.2.5.2).
 */
export function partsAwaited({ sequence, part }: Directives, offered: Offered): number | undefined | Breach {
  if (sequence === undefined) return undefined;
  const { lastSequence, openParts, partsPerSegment, partTargetSeconds } = offered;
  if (sequence > lastSequence + 2) return 'a media sequence number too far ahead';
  if (part === undefined) return (sequence + 1) * partsPerSegment;
  // A part after the last of its segment is the first of the next one.
  const wanted = part >= partsPerSegment ? (sequence + 1) * partsPerSegment : sequence * partsPerSegment + part;
  const last = (lastSequence + 1) * partsPerSegment + openParts - 1;
  const advance = partTargetSeconds < 1 ? Math.ceil(3 / partTargetSeconds) : 3;
  return wanted > last + advance ? 'a part beyond the advance part limit' : wanted + 1;
}
