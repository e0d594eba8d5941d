import { isDeepStrictEqual } from 'node:util';
import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import { Fields } from '../../fields.ts';
import { contentLengthOf } from '../../semantics/content-length.ts';
import { type ContentRange, parseContentRange } from '../../semantics/content-range.ts';
import { type RangeSpec, rangesOf } from '../../semantics/range.ts';
import { conditionalFields, sameRepresentation, validatorOf } from '../../semantics/validators.ts';
import type { Filler } from '../fill/filler.ts';
import type { Places } from '../fill/places.ts';
import { originTarget } from '../key.ts';
import { effectiveDirectives } from '../rules/directives.ts';
import { requestFieldsForOrigin } from '../rules/forwarded-fields.ts';
import { freshen, freshenSelects } from '../rules/freshen.ts';
import { fieldsStored, storable } from '../rules/storable.ts';
import { varyOf } from '../rules/vary.ts';
import type { Entries } from '../stored/entries.ts';
import type { RecentPurges } from '../stored/recent-purges.ts';
import { Representation } from '../stored/representation.ts';
import type { Supply } from '../supply.ts';
import type { CacheRequest, StoredResponse } from '../types.ts';
import { answersAlone, answersRange, checkPart } from './part-answers.ts';

/** What became of asking the suppliers for a response. */
export type Outcome =
  /** `verbatim`: the origin's 206 was not what was asked for, so it is passed on as it came. */
  | {
      readonly kind: 'stored';
      readonly representation: Representation;
      readonly fwdStatus: number;
      readonly verbatim?: ContentRange;
    }
  | { readonly kind: 'freshened'; readonly representation: Representation }
  /** May not be stored: for the request it was made for alone. */
  | { readonly kind: 'passed'; readonly supply: Supply }
  /** A failure of the origin that all who wait may hear of. */
  | { readonly kind: 'shared'; readonly supply: Supply; readonly bytes: Buffer };

export interface Asking {
  readonly key: string;
  readonly request: CacheRequest;
  /** A stored response to be validated. */
  readonly stale?: Representation;
  /** First byte that is missing of a stored part without strong validator: perhaps the origin tells more this time. */
  readonly missingFrom?: number;
}

interface ResponseFetchOptions {
  readonly places: Places;
  readonly entries: Entries;
  readonly purges: RecentPurges;
}

/** An open range of unknown length is asked for in windows: a viewer seldom reads all it asks for. */
const windowBytes = 1024 * 1024;
/** Largest error body that is shared among waiting requests. */
const sharedBytesMax = 64 * 1024;

/** Asks for a whole response and stores it where RFC 9111 section 3 allows: the path of a miss and of a validation. */
export class ResponseFetch {
  readonly #filler: Filler;
  readonly #places: Places;
  readonly #entries: Entries;
  readonly #purges: RecentPurges;
  #lastId = 0;

  constructor(filler: Filler, { places, entries, purges }: ResponseFetchOptions) {
    this.#filler = filler;
    this.#places = places;
    this.#entries = entries;
    this.#purges = purges;
  }

  async fetch(asking: Asking, signal: AbortSignal): Promise<Outcome> {
    const { request, missingFrom } = asking;
    const wanted = rangesOf(request.method, request.fields);
    const rest = missingFrom !== undefined && wanted === undefined;
    const range = rest ? `bytes=${missingFrom}-` : rangeAsked(wanted, request.fields);
    const supply = await this.#ask(asking, range, signal);
    const outcome = await this.#take(asking, range, supply);
    if (outcome !== undefined && (outcome.kind !== 'passed' || answersAlone(request, { range, wanted }, supply)))
      return checked(outcome, range);
    // What came is less than the viewer wants and cannot be added to, or it freshens nothing: ask for all of it.
    if (outcome?.kind === 'passed') discard(outcome.supply);
    const { stale: _, ...unconditional } = asking;
    const all = request.fields.has('if-range') ? undefined : request.fields.get('range');
    const whole = await this.#ask(unconditional, all, signal);
    return checked((await this.#take(unconditional, all, whole)) ?? { kind: 'passed', supply: whole }, all);
  }

  /** Stores a whole answer that a gap's fetch brought instead of the bytes it asked for. */
  replace(old: Representation, request: CacheRequest, supply: Supply): void {
    if (storable(request, supply)) this.#store({ key: old.key, request }, supply, undefined);
    else discard(supply);
  }

  #ask({ key, request, stale }: Asking, range: string | undefined, signal: AbortSignal): Promise<Supply> {
    const raw = [...requestFieldsForOrigin(request.fields).raw];
    if (stale !== undefined) raw.push(...conditionalFields(stale.stored).raw);
    if (range !== undefined) raw.push('Range', range);
    const target = originTarget(request.target);
    const { peersForbidden, onInformational } = request;
    const fits = (given: Supply): boolean => !this.#purges.outdates(key, given);
    const options = { signal, peersForbidden, fits, ...(onInformational && { onInformational }) };
    return this.#filler.supply(
      { method: request.method, target, fields: new Fields(raw), map: request.policy.name },
      options,
    );
  }

  /** Undefined: of no use, to be asked for anew. */
  async #take(asking: Asking, range: string | undefined, supply: Supply): Promise<Outcome | undefined> {
    const { request, stale } = asking;
    if (stale !== undefined && supply.status === 304) return this.#freshened(asking, stale, supply);
    if (!storable(request, supply)) return share(request, supply);
    if (supply.status !== 206) {
      const representation = this.#store(asking, supply, undefined);
      if (range !== undefined) representation.rangesIgnored = true;
      return { kind: 'stored', representation, fwdStatus: supply.status };
    }
    const part = parseContentRange(supply.fields.get('content-range'));
    if (part?.completeLength === undefined) return { kind: 'passed', supply };
    const completable = validatorOf(supply.fields).strong !== undefined;
    if (!completable && range === undefined) return { kind: 'passed', supply };
    if (!completable && range !== request.fields.get('range')) {
      discard(supply);
      return undefined;
    }
    const representation = this.#store(asking, supply, part);
    // Who asked for no part gets the whole of it, completed.
    const expected = range === undefined || answersRange(range, part);
    return { kind: 'stored', representation, fwdStatus: 206, ...(!expected && { verbatim: part }) };
  }

  /** A 304 freshens the stored responses it selects (RFC 9111 section 4.3.4). Undefined: it means none that we have. */
  #freshened({ key, request }: Asking, stale: Representation, supply: Supply): Outcome | undefined {
    discard(supply);
    const variants = (this.#entries.peek(key) ?? [stale]).filter((each) => each.matches(request.fields));
    const selected = freshenSelects(
      variants.map((each) => each.stored),
      supply.fields,
      stale.stored,
    );
    const freshened = variants.filter((each) => selected.includes(each.stored));
    for (const each of freshened) this.#entries.update(each, freshen(each.stored, supply, request));
    return freshened.includes(stale) ? { kind: 'freshened', representation: stale } : undefined;
  }

  #store({ key, request }: Asking, supply: Supply, part: ContentRange | undefined): Representation {
    const stored = this.#storedResponse({ key, request }, supply, part);
    const before = this.#entries.peek(key) ?? [];
    const same = before.find((each) => isSame(each.stored, stored));
    if (same !== undefined) this.#entries.update(same, { ...stored, id: same.id });
    const representation = same ?? new Representation(stored, { key, target: originTarget(request.target) });
    if (same === undefined) representation.fetched = true;
    this.#entries.add(representation, (old) => old.matches(request.fields));
    const last = part?.last ?? (stored.completeLength === undefined ? undefined : stored.completeLength - 1);
    const first = part?.first ?? 0;
    if (same !== undefined && last !== undefined && this.#places.holds(same, first, last)) discard(supply);
    else this.#filler.receive(representation, supply, { first, last });
    return representation;
  }

  #storedResponse({ key, request }: Asking, supply: Supply, part: ContentRange | undefined): StoredResponse {
    this.#lastId = Math.max(this.#lastId + 1, supply.responseTimeMs * 4096);
    const vary = varyOf(supply.fields, request.fields);
    return {
      id: this.#lastId,
      status: supply.status === 206 ? 200 : supply.status,
      fields: fieldsStored(supply.fields, { status: supply.status, targetedFields: request.policy.targetedFields }),
      completeLength: part === undefined ? lengthOf(supply) : part.completeLength,
      requestTimeMs: supply.requestTimeMs,
      responseTimeMs: supply.responseTimeMs,
      vary: vary === 'any' ? [] : vary,
      invalidated: this.#purges.names(key, supply),
    };
  }
}

function checked(outcome: Outcome, range: string | undefined): Outcome {
  if (outcome.kind === 'passed') checkPart(range, outcome.supply);
  return outcome;
}

/** Of several ranges the first is asked for: the rest is asked for when it is sent. */
function rangeAsked(wanted: readonly RangeSpec[] | undefined, fields: Fields): string | undefined {
  const spec = wanted?.[0];
  if (spec === undefined) return undefined;
  if ('first' in spec && spec.last === undefined) return `bytes=${spec.first}-${spec.first + windowBytes - 1}`;
  if (wanted?.length === 1) return fields.get('range');
  return 'first' in spec ? `bytes=${spec.first}-${spec.last}` : `bytes=-${spec.suffixLength}`;
}

function lengthOf({ status, fields }: Supply): number | undefined {
  return status === 204 ? 0 : contentLengthOf(fields);
}

/** The origin sent again what is stored: the bytes at hand stay. */
function isSame(old: StoredResponse, added: StoredResponse): boolean {
  return (
    old.completeLength !== undefined &&
    old.completeLength === added.completeLength &&
    old.status === added.status &&
    old.fields.get('content-encoding') === added.fields.get('content-encoding') &&
    // Another selecting request is another stored response, be its bytes the same.
    isDeepStrictEqual(old.vary, added.vary) &&
    sameRepresentation(old.fields, added.fields)
  );
}

/** Errors of the origin may be told to all who wait, unless it forbids; anything else is for one viewer only. */
async function share(request: CacheRequest, supply: Supply): Promise<Outcome> {
  const { directives } = effectiveDirectives(supply.fields, request.policy.targetedFields);
  const own =
    directives.noStore || directives.private !== false || supply.fields.has('set-cookie') || supply.fields.has('vary');
  if (
    supply.status < 500 ||
    own ||
    request.fields.has('authorization') ||
    (contentLengthOf(supply.fields) ?? 0) > sharedBytesMax
  )
    return { kind: 'passed', supply };
  const chunks: Buffer[] = [];
  let total = 0;
  for await (const chunk of supply.body) {
    total += chunk.length;
    if (total > sharedBytesMax)
      throw new EddyError('origin-status', `the origin answered ${supply.status}`, { side: 'upstream' });
    chunks.push(chunk);
  }
  return { kind: 'shared', supply, bytes: Buffer.concat(chunks) };
}
