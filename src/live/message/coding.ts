import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

export type Coding = 'identity' | 'gzip' | 'br';

/** Below this a coding saves less than its field lines cost. */
const codedBytesMin = 400;
/** Playlists up to this size are compressed while the first viewer waits; beyond, they are sent as they are. */
const codedBytesMax = 512 * 1024;

let last: { readonly value: string; readonly coding: Coding } = { value: '', coding: 'identity' };

/** The best coding an Accept-Encoding allows (RFC 9110 section 12.5.3): br, then gzip, then identity. */
export function acceptedCoding(value: string | undefined): Coding {
  if (value === undefined) return 'identity';
  // Most viewers say the same.
  if (last.value !== value) last = { value, coding: bestOf(value) };
  return last.coding;
}

function bestOf(value: string): Coding {
  const weights = new Map<string, number>();
  for (const member of value.split(',')) {
    const [name = '', ...parameters] = member.split(';').map((each) => each.trim().toLowerCase());
    const quality = parameters.find((each) => each.startsWith('q='))?.slice(2);
    weights.set(name, quality === undefined ? 1 : Number(quality));
  }
  const takes = (coding: string) => (weights.get(coding) ?? weights.get('*') ?? 0) > 0;
  if (weights.has('br') && takes('br')) return 'br';
  return takes('gzip') ? 'gzip' : 'identity';
}

/** The bytes in that coding; undefined where it is not worth it. */
export function encode(bytes: Buffer, coding: Coding): Buffer | undefined {
  if (coding === 'identity' || bytes.length < codedBytesMin || bytes.length > codedBytesMax) return undefined;
  const coded =
    coding === 'gzip' ? gzipSync(bytes, { level: 6 }) : brotliCompressSync(bytes, { params: brotli(bytes) });
  return coded.length < bytes.length ? coded : undefined;
}

function brotli(bytes: Buffer): Record<number, number> {
  return { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
}
