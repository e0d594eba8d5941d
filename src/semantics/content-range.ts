/** Positions of the first and the last byte, both inclusive. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/** Where the content of a 206 lies in its representation (RFC 9110 section 14.4). */
export interface ContentRange extends Span {
  /** Undefined when the sender did not know it. */
  readonly completeLength: number | undefined;
}

const pattern = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/i;

/** A Content-Range of bytes; undefined when it is absent, not satisfiable, of another unit or contradicts itself. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const match = value === undefined ? null : pattern.exec(value);
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  const completeLength = match[3] === undefined ? undefined : Number(match[3]);
  if (last < first || (completeLength !== undefined && last >= completeLength)) return undefined;
  return { first, last, completeLength };
}
