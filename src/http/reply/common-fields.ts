import { Recent } from '../../cache/recent.ts';
import type { CacheRequest, CacheStatus, MapPolicy, RepresentationAnswer, Source } from '../../cache/types.ts';
import type { Fields } from '../../fields.ts';
import { FieldsAtAge } from '../../semantics/fields-at-age.ts';
import { hopByHop } from '../../semantics/hop-by-hop.ts';
import { cacheStatusMember } from './cache-status.ts';
import { corsFields } from './cors.ts';
import { ReplyFields, type SpanOf } from './reply-fields.ts';

/** What all replies from one answer of the cache have in common. */
export interface Common {
  readonly fields: ReplyFields;
  /** Whether the origin said something about ranges itself. */
  readonly acceptRanges: boolean;
  /** Where the first byte comes from. */
  readonly source: Source;
  /** Kept by whoever makes them: the fields of the reply with the whole, of that length, and of 304. */
  whole: { readonly length: number | undefined; readonly fields: ReplyFields } | undefined;
  notModified: ReplyFields | undefined;
  /** The same of the part that was asked for last. */
  span: (SpanOf & { readonly fields: ReplyFields }) | undefined;
}

interface Kept {
  readonly policy: MapPolicy;
  readonly lasting: Lasting;
  /** Of the answer before. */
  readonly common: Common;
  readonly ageSeconds: number | undefined;
  readonly ttlSeconds: number | undefined;
}

/** What is said as long as the stored response stays what it is. */
interface Lasting {
  readonly fields: ReplyFields;
  readonly acceptRanges: boolean;
}

/** Answers whose fields are kept, some 3 KB each. */
const keptMax = 1024;

/**
 * The common fields of answers, kept for those that come again: the cache gives the same `Fields` as long as Age stays
 * the same, so that this work is done once a second for a response that is asked for a thousand times. What lasts longer
 * is kept longer: a player asks for something else each time, which nobody may have asked for in this second.
 */
export class CommonFields {
  readonly #recent = new Recent<Fields, Kept>(keptMax);

  /** `first`: offset of the first byte to be sent. */
  of(answer: RepresentationAnswer, { policy }: CacheRequest, first: number): Common {
    const { cacheStatus, fields } = answer;
    const source = sourceOf(answer, first);
    if (!isPlainHit(cacheStatus)) return commonOf(fields, { policy, cacheStatus, source });
    const aged = fields instanceof FieldsAtAge ? fields : undefined;
    const ageSeconds = aged?.ageSeconds;
    const { ttlSeconds } = cacheStatus;
    const key = aged?.lasting ?? fields;
    const known = this.#recent.get(key);
    const kept = known?.policy === policy ? known : undefined;
    if (kept?.ageSeconds === ageSeconds && kept?.ttlSeconds === ttlSeconds && kept?.common.source === source)
      return kept.common;
    const lasting = kept?.lasting ?? lastingOf(key, policy);
    const said = ageSeconds === undefined ? [] : ['Age', String(ageSeconds)];
    said.push('Cache-Status', cacheStatusMember({ ...cacheStatus, detail: source }));
    const common = commonWith(ReplyFields.ours(said, lasting.fields), { source, acceptRanges: lasting.acceptRanges });
    this.#recent.set(key, { policy, lasting, common, ageSeconds, ttlSeconds });
    return common;
  }
}

function lastingOf(fields: Fields, policy: MapPolicy): Lasting {
  const { raw, acceptRanges } = copyFields(fields, policy);
  return { fields: new ReplyFields(raw), acceptRanges };
}

export function sourceOf({ cacheStatus, content }: RepresentationAnswer, first: number): Source {
  // A hit without content comes from what is known of it.
  if (cacheStatus.hit) return content.sourceOf(first) ?? 'ram';
  return cacheStatus.detail ?? content.sourceOf(first) ?? 'origin';
}

/** Whether lifetime and source are all that there is to say. */
function isPlainHit({ hit, stored, collapsed }: CacheStatus): boolean {
  return hit && stored === undefined && collapsed === undefined;
}

export function commonOf(
  fields: Fields,
  { policy, cacheStatus, source }: { policy: MapPolicy; cacheStatus: CacheStatus; source: Source },
): Common {
  const { fields: lasting, acceptRanges } = lastingOf(fields, policy);
  const said = ['Cache-Status', cacheStatusMember({ ...cacheStatus, detail: source })];
  return commonWith(ReplyFields.ours(said, lasting), { source, acceptRanges });
}

function commonWith(fields: ReplyFields, about: Pick<Common, 'source' | 'acceptRanges'>): Common {
  return { fields, ...about, whole: undefined, notModified: undefined, span: undefined };
}

/** Everything end-to-end, then what the HTTP side adds but for Cache-Status. */
export function copyFields({ raw: from }: Fields, { cors }: MapPolicy): { raw: string[]; acceptRanges: boolean } {
  const raw: string[] = [];
  const seen = { date: false, allowsOrigin: false, timingAllowed: false, acceptRanges: false };
  for (let i = 0; i + 1 < from.length; i += 2) {
    const name = from[i] as string;
    const lower = name.toLowerCase();
    if (notCopied.has(lower)) continue;
    if (lower === 'date') seen.date = true;
    else if (lower === 'access-control-allow-origin') seen.allowsOrigin = true;
    else if (lower === 'timing-allow-origin') seen.timingAllowed = true;
    else if (lower === 'accept-ranges') seen.acceptRanges = true;
    raw.push(name, from[i + 1] as string);
  }
  if (!seen.date) raw.push('Date', new Date().toUTCString());
  if (cors) raw.push(...corsFields(seen));
  return { raw, acceptRanges: seen.acceptRanges };
}

/** Framing is the transport's, and a stored response's Content-Range describes what was fetched, not what is sent. */
const notCopied: ReadonlySet<string> = new Set([...hopByHop, 'content-length', 'content-range']);
