import { randomBytes } from 'node:crypto';
import type { Span } from '../../semantics/content-range.ts';

/** One body part: its delimiter and fields, then bytes first .. last. */
export interface BodyPart extends Span {
  readonly head: Buffer;
}

interface PartsLayout {
  readonly contentType: string;
  /** Exact, of all parts with their delimiters and the closing one. */
  readonly contentLength: number;
  readonly parts: readonly BodyPart[];
  readonly tail: Buffer;
}

/** multipart/byteranges over these spans (RFC 9110 section 14.6), with a boundary nobody can foresee. */
export function layOutParts(
  spans: readonly Span[],
  about: { completeLength: number; contentType: string | undefined },
): PartsLayout {
  const boundary = randomBytes(18).toString('hex');
  const type = about.contentType === undefined ? '' : `Content-Type: ${about.contentType}\r\n`;
  const parts = spans.map(({ first, last }, index) => {
    const range = `Content-Range: bytes ${first}-${last}/${about.completeLength}\r\n`;
    const head = Buffer.from(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n${type}${range}\r\n`, 'latin1');
    return { head, first, last };
  });
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1');
  const content = parts.reduce((sum, { head, first, last }) => sum + head.length + last - first + 1, 0);
  return {
    contentType: `multipart/byteranges; boundary=${boundary}`,
    contentLength: content + tail.length,
    parts,
    tail,
  };
}
