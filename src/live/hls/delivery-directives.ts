/** Delivery directives of a playlist request (RFC 8216bis section 6.2.5). */
export interface DeliveryDirectives {
  /** Media sequence number the answer is to contain. */
  readonly msn?: number;
  /** Index of the part of that segment. */
  readonly part?: number;
  /** `v2`: date ranges may be skipped too. */
  readonly skip?: 'YES' | 'v2';
  /** One of them has a value the standard does not allow. */
  readonly malformed: boolean;
}

/** A target without its delivery directives, and what they were; undefined where there are none. */
export function readDirectives(target: string): { target: string; directives: DeliveryDirectives } | undefined {
  const mark = target.indexOf('?');
  if (mark < 0 || !target.includes('_HLS_', mark)) return undefined;
  const kept: string[] = [];
  const found: { msn?: number; part?: number; skip?: 'YES' | 'v2'; malformed: boolean } = { malformed: false };
  for (const parameter of target.slice(mark + 1).split('&')) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (name === '_HLS_msn' || name === '_HLS_part') {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : undefined;
      if (number === undefined) found.malformed = true;
      else if (name === '_HLS_msn') found.msn = number;
      else found.part = number;
    } else if (name === '_HLS_skip') {
      if (value === 'YES' || value === 'v2') found.skip = value;
    } else kept.push(parameter);
  }
  if (kept.length === target.slice(mark + 1).split('&').length) return undefined;
  const query = kept.length === 0 ? '' : `?${kept.join('&')}`;
  return { target: target.slice(0, mark) + query, directives: found };
}

/** A target that asks for a playlist with that part or a later one. */
export function blockingTarget(target: string, { msn, part }: { msn: number; part: number | undefined }): string {
  const parameters = `_HLS_msn=${msn}${part === undefined ? '' : `&_HLS_part=${part}`}`;
  return `${target}${target.includes('?') ? '&' : '?'}${parameters}`;
}
