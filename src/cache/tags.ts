import type { Fields } from '../fields.ts';

/** More tags of one response than this are not kept. */
export const tagsMax = 128;
/** Longer tags are not kept. */
export const tagLengthMax = 256;

/** The tags a response can be purged by: members of Cache-Tag (comma) and Surrogate-Key (space), each once. */
export function tagsOf(fields: Fields): string[] {
  const cacheTag = fields.get('cache-tag')?.split(',') ?? [];
  // Surrogate-Key is no list: of several lines, the comma that combining put in belongs to no key.
  const surrogateKey = fields.all('surrogate-key').flatMap((line) => line.split(/[ \t]+/));
  const tags = new Set<string>();
  for (const each of [...cacheTag, ...surrogateKey]) {
    const tag = each.trim();
    if (tag === '' || tag.length > tagLengthMax) continue;
    if (tags.size >= tagsMax) break;
    tags.add(tag);
  }
  return [...tags];
}
