import { promisify } from 'node:util';
import { brotliDecompress, gunzip } from 'node:zlib';
import type { Answer } from '../../cache/types.ts';
import type { Fields } from '../../fields.ts';
import { PieceMemory } from '../../piece-memory.ts';
import { preciseNowMs } from '../clock.ts';
import { manifestBytesMax } from '../manifest.ts';

/** A playlist as the origin gave it, decoded. */
export interface Received {
  readonly bytes: Buffer;
  /** As stored, Age included. */
  readonly fields: Fields;
  /** When it was known to be current. */
  readonly atMs: number;
  /** Epoch milliseconds with fractions: when its last byte was here, or in a cell at its owner, by the clock there. */
  readonly learntMs: number;
}

/** Reads the whole body of an answer; undefined when it is larger than a manifest may be, or in an unknown coding. */
export async function receive(
  answer: Answer,
  { signal, nowMs }: { signal: AbortSignal; nowMs: () => number },
): Promise<Received | undefined> {
  const body = answer.kind === 'passed' ? answer.body : answer.content.read(0, undefined, signal);
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of body) {
    total += chunk.length;
    if (total > manifestBytesMax) return undefined;
    chunks.push(chunk);
  }
  const learntMs = preciseNowMs();
  const copy = Buffer.concat(chunks);
  for (const chunk of chunks) PieceMemory.of(chunk)?.letGo();
  const bytes = await decode(copy, answer.fields.get('content-encoding'));
  return bytes && { bytes, fields: answer.fields, atMs: nowMs(), learntMs };
}

const decoders: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: (bytes) => promisify(gunzip)(bytes, { maxOutputLength: manifestBytesMax }),
  'x-gzip': (bytes) => promisify(gunzip)(bytes, { maxOutputLength: manifestBytesMax }),
  br: (bytes) => promisify(brotliDecompress)(bytes, { maxOutputLength: manifestBytesMax }),
};

/** Some origins compress whatever is asked for. */
async function decode(bytes: Buffer, coding: string | undefined): Promise<Buffer | undefined> {
  const name = coding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '') return bytes;
  try {
    return await decoders[name]?.(bytes);
  } catch {
    return undefined;
  }
}
