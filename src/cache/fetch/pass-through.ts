import type { ForwardReason } from '../../semantics/forward-reason.ts';
import type { Filler } from '../fill/filler.ts';
import { cacheKey, originTarget } from '../key.ts';
import { passedRequestFields } from '../rules/forwarded-fields.ts';
import { headFreshens } from '../rules/freshen.ts';
import { invalidates } from '../rules/invalidate.ts';
import type { Entries } from '../stored/entries.ts';
import type { Purges } from '../stored/purges.ts';
import { select } from '../stored/select.ts';
import type { Supply } from '../supply.ts';
import type { Answer, CacheRequest, Source } from '../types.ts';
import { passedAnswer } from './answers.ts';

interface PassThroughOptions {
  readonly filler: Filler;
  readonly entries: Entries;
  readonly purges: Purges;
  /** Bytes given to viewers, by where they came from. */
  readonly onServed: (source: Source, bytes: number) => void;
  /** An unsafe request changed what these targets lead to. */
  readonly onInvalidated: ((targets: readonly string[]) => void) | undefined;
}

/** Requests that the cache has no part in go to the origin as they are; what comes back may still concern what is stored. */
export class PassThrough {
  readonly #options: PassThroughOptions;

  constructor(options: PassThroughOptions) {
    this.#options = options;
  }

  async answer(request: CacheRequest, fwd: ForwardReason): Promise<Answer> {
    const { filler, purges, onInvalidated, onServed } = this.#options;
    const { method, policy, signal, body, onInformational } = request;
    const supply = await filler.supply(
      {
        method,
        target: originTarget(request.target),
        fields: passedRequestFields(request.fields),
        map: policy.name,
        ...(body && { body }),
      },
      { signal, ...(onInformational && { onInformational }) },
    );
    await this.freshens(request, supply);
    // RFC 9111 section 4.4: an unsafe request invalidates what it may have changed.
    const changed = invalidates(request, supply);
    if (changed.length > 0) onInvalidated?.(changed);
    await purges.invalidate(changed, [policy]);
    return passedAnswer(supply, { hit: false, fwd, fwdStatus: supply.status }, { request, onServed });
  }

  /** What the answer to HEAD says of a stored response counts for it too (RFC 9111 section 4.3.5). */
  async freshens(request: CacheRequest, supply: Supply): Promise<void> {
    if (request.method !== 'HEAD' || supply.status !== 200) return;
    const { entries } = this.#options;
    const stored = select(await entries.find(cacheKey(request), request.target), request.fields);
    if (stored !== undefined) entries.update(stored, headFreshens(stored.stored, supply, request));
  }
}
