import { discard } from '../../discard.ts';
import { EddyError } from '../../errors.ts';
import type { Asked, StoredAnswers } from '../content/stored-answers.ts';
import { parseCacheControl } from '../rules/directives.ts';
import { judge, mayServeOnError } from '../rules/reuse.ts';
import type { Representation } from '../stored/representation.ts';
import { select } from '../stored/select.ts';
import type { Answer, CacheRequest, CacheStatus, Source } from '../types.ts';
import { passedAnswer, sharedAnswer, verbatimAnswer } from './answers.ts';
import type { PassThrough } from './pass-through.ts';
import type { Outcome } from './response-fetch.ts';
import type { Shared, SharedFetches } from './shared-fetches.ts';

interface FetchedAnswersOptions {
  readonly fetches: SharedFetches;
  readonly stored: StoredAnswers;
  readonly passThrough: PassThrough;
  readonly now: () => number;
  /** Bytes given to viewers, by where they came from. */
  readonly onServed: (source: Source, bytes: number) => void;
  /** Validations that ran behind a viewer's back and failed. */
  readonly onBackgroundError: (error: unknown) => void;
}

const backgroundTimeoutMs = 60_000;

/**
 * Answers for which the suppliers are asked: nothing is stored that fits, or it is stale. All resolve to undefined where
 * what was found is no longer there: look again.
 */
export class FetchedAnswers {
  readonly #options: FetchedAnswersOptions;

  constructor(options: FetchedAnswersOptions) {
    this.#options = options;
  }

  /**
   * Nothing is stored, or something that is of no use. `other`: a stored response of the same key that is for other
   * requests. `missingFrom`: from there on bytes are missing to which nothing can be added.
   */
  async miss(
    { key, request, status }: Asked,
    { other, missingFrom }: { other?: Representation | undefined; missingFrom?: number } = {},
  ): Promise<Answer | undefined> {
    const { fetches, passThrough } = this.#options;
    if (onlyIfCached(request)) throw notCached(`${request.target} is not stored`);
    if (request.method === 'HEAD') return passThrough.answer(request, status.fwd ?? 'miss');
    const asking = { key, request, ...(missingFrom !== undefined && { missingFrom }) };
    const asked: Asked = { key, request, status };
    if (fetches.mayShare(asking)) return this.#shared(await fetches.share(asking, other), asked);
    // A peer asks for itself; what this node wants without its peers it does ask for.
    if (request.peersForbidden === true && request.ahead !== true)
      throw notCached(`${request.target} may not be stored`);
    const alone = { ...asking, request: { ...request, peersForbidden: true } };
    return this.#own(await fetches.alone(alone), asked);
  }

  /** What is stored must be validated before it answers. */
  async validate(stale: Representation, asked: Asked): Promise<Answer | undefined> {
    const { fetches, stored, now } = this.#options;
    const { key, request, status } = asked;
    if (onlyIfCached(request)) throw notCached(`${request.target} is stale`);
    const mayServe = (): boolean => mayServeOnError(stale.terms(request.policy), request, now());
    try {
      const shared = await fetches.validate({ key, request, stale });
      const { leader, outcome } = shared;
      const failed = outcome.kind === 'shared' || (outcome.kind === 'passed' && outcome.supply.status >= 500);
      if (!failed || !mayServe()) return this.#shared(shared, asked);
      if (leader && outcome.kind === 'passed') discard(outcome.supply);
      return stored.answer(stale, request, { ...status, fwdStatus: outcome.supply.status });
    } catch (error) {
      const upstream = error instanceof EddyError && error.side === 'upstream';
      if (!upstream || !mayServe()) throw error;
      return stored.answer(stale, request, status);
    }
  }

  /** The same, while it answers: nobody waits for it. */
  validateBehind(stale: Representation, { key, request }: Pick<Asked, 'key' | 'request'>): void {
    const signal = AbortSignal.timeout(backgroundTimeoutMs);
    const unconditional: CacheRequest = { ...request, method: 'GET', originForbidden: false, signal };
    this.#options.fetches
      .validate({ key, request: unconditional, stale })
      .then(({ leader, outcome }) => {
        if (leader && outcome.kind === 'passed') discard(outcome.supply);
      })
      .catch(this.#options.onBackgroundError);
  }

  /** What a fetch that was perhaps made for another request means for this one. `variant`: it is the second one. */
  async #shared({ leader, outcome }: Shared, asked: Asked & { variant?: boolean }): Promise<Answer | undefined> {
    if (leader) return this.#own(outcome, asked);
    const { fetches, stored, onServed } = this.#options;
    const { key, request } = asked;
    const status: CacheStatus = { ...asked.status, collapsed: true };
    if (outcome.kind === 'shared') return sharedAnswer(outcome, status, { request, onServed });
    if (outcome.kind === 'freshened') return stored.answer(outcome.representation, request, status);
    // It was asked for while this request waited, so it answers this request even if it is stale already.
    if (outcome.kind === 'stored' && select([outcome.representation], request.fields) !== undefined)
      return stored.answer(outcome.representation, request, status);
    const asking = { key, request };
    if (outcome.kind !== 'stored' || asked.variant === true || !fetches.mayShare(asking))
      return this.#own(await fetches.alone(asking), asked);
    return this.#shared(await fetches.share(asking, outcome.representation), { ...asked, variant: true });
  }

  /** What a fetch made for this very request means for it. */
  async #own(outcome: Outcome, asked: Asked): Promise<Answer | undefined> {
    const { fetches, stored, passThrough, onServed, now } = this.#options;
    const { request, status } = asked;
    fetches.learn(asked, outcome);
    switch (outcome.kind) {
      case 'shared':
        return sharedAnswer(outcome, status, { request, onServed });
      case 'passed':
        await passThrough.freshens(request, outcome.supply);
        return passedAnswer(outcome.supply, status, { request, onServed });
      case 'freshened': {
        const { representation } = outcome;
        const { ttlSeconds } = judge(representation.terms(request.policy), request, now());
        return stored.answer(representation, request, { ...status, fwdStatus: 304, ttlSeconds });
      }
      case 'stored': {
        const { representation, fwdStatus, verbatim } = outcome;
        const answer = stored.arriving(representation, request, { ...status, fwdStatus, stored: true });
        return verbatim === undefined ? answer : verbatimAnswer(answer, { part: verbatim, signal: request.signal });
      }
      default:
        return outcome satisfies never;
    }
  }
}

function onlyIfCached(request: CacheRequest): boolean {
  if (request.originForbidden === true) return true;
  return request.policy.requestDirectives && parseCacheControl(request.fields.get('cache-control')).onlyIfCached;
}

function notCached(message: string): EddyError {
  return new EddyError('only-if-cached', message, { side: 'downstream' });
}
