import { crc32 } from 'node:zlib';
import type { Entry, StoredResponse } from '../../cache/types.ts';
import { Fields } from '../../fields.ts';
import { tagsOf } from '../../semantics/tags.ts';

/*
 * An entry as it lies in the index (format 1, frozen): version byte 1, CRC-32 (4, big-endian) of what follows, then
 * JSON in UTF-8: {"key":…, "generation":n, "savedMs":n, "variants":[{…StoredResponse, "fields":[name, value, …]}]}.
 */

const version = 1;
const headerBytes = 5;

/** A longer record is not worth its place; the entry is then not kept across a restart. */
export const entryRecordBytesMax = 256 * 1024;

export interface EntryRecord {
  readonly entry: Entry;
  /** The generation that was being written when this was saved. */
  readonly generation: number;
  readonly savedMs: number;
}

export function encodeEntry(record: EntryRecord): Buffer {
  const variants = record.entry.variants.map((variant) => ({
    ...variant,
    completeLength: variant.completeLength ?? null,
    fields: variant.fields.raw,
  }));
  const { generation, savedMs } = record;
  const json = Buffer.from(JSON.stringify({ key: record.entry.key, generation, savedMs, variants }));
  const value = Buffer.allocUnsafe(headerBytes + json.length);
  value.writeUInt8(version, 0);
  value.writeUInt32BE(crc32(json), 1);
  json.copy(value, headerBytes);
  return value;
}

/** Undefined for anything but an intact record of that key. */
export function decodeEntry(value: Buffer, key: string): EntryRecord | undefined {
  if (value.length <= headerBytes || value.readUInt8(0) !== version) return undefined;
  const json = value.subarray(headerBytes);
  if (crc32(json) !== value.readUInt32BE(1)) return undefined;
  try {
    const parsed: unknown = JSON.parse(json.toString('utf8'));
    if (!isObject(parsed) || parsed['key'] !== key || !Array.isArray(parsed['variants'])) return undefined;
    const { generation, savedMs } = parsed;
    if (!isCount(generation) || !isCount(savedMs)) return undefined;
    const variants = parsed['variants'].map(decodeVariant);
    if (!variants.every((variant) => variant !== undefined)) return undefined;
    return { entry: { key, variants }, generation, savedMs };
  } catch {
    return undefined;
  }
}

/** The tags of all variants of an entry. */
export function entryTags({ variants }: Entry): ReadonlySet<string> {
  return new Set(variants.flatMap(({ fields }) => [...tagsOf(fields)]));
}

function decodeVariant(value: unknown): StoredResponse | undefined {
  if (!isObject(value)) return undefined;
  const { id, status, fields, completeLength, requestTimeMs, responseTimeMs, vary, invalidated } = value;
  if (!isCount(id) || !isCount(status) || typeof invalidated !== 'boolean') return undefined;
  if (typeof requestTimeMs !== 'number' || typeof responseTimeMs !== 'number') return undefined;
  if (completeLength !== null && !isCount(completeLength)) return undefined;
  if (!Array.isArray(fields) || !fields.every((each) => typeof each === 'string')) return undefined;
  if (!Array.isArray(vary) || !vary.every(isVaryPair)) return undefined;
  return {
    id,
    status,
    fields: new Fields(fields),
    completeLength: completeLength ?? undefined,
    requestTimeMs,
    responseTimeMs,
    vary,
    invalidated,
  };
}

function isVaryPair(value: unknown): value is readonly [string, string | null] {
  if (!Array.isArray(value) || value.length !== 2 || typeof value[0] !== 'string') return false;
  return value[1] === null || typeof value[1] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
