import type { Fields } from '../fields.ts';

/** More tags of one response than this are not kept. */
export const tagsMax = 128;
/** Longer tags are not kept. */
export const tagLengthMax = 256;

/** The tags a response can be purged by: members of Cache-Tag (commas) and Surrogate-Key (spaces, or commas), each once. */
export function tagsOf(fields: Fields): ReadonlySet<string> {
  const cacheTag = fields.get('cache-tag')?.split(',') ?? [];
  const surrogateKey = fields.get('surrogate-key')?.split(/[\s,]+/) ?? [];
  const tags = new Set<string>();
  for (const each of [...cacheTag, ...surrogateKey]) {
    const tag = each.trim();
    // The index of the disk tier ends tags by a zero.
    if (tag === '' || tag.length > tagLengthMax || tag.includes('\0')) continue;
    if (tags.size >= tagsMax) break;
    tags.add(tag);
  }
  return tags;
}
