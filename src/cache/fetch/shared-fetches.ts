import { discard } from '../../discard.ts';
import { ExpiringSet } from '../../expiring-set.ts';
import { parseCacheControl } from '../rules/directives.ts';
import { varyOf } from '../rules/vary.ts';
import type { Representation } from '../stored/representation.ts';
import type { CacheRequest } from '../types.ts';
import { Collapse } from './collapse.ts';
import type { Asking, Outcome, ResponseFetch } from './response-fetch.ts';

/** How long, and how many, are remembered of those whose responses could not be stored. */
const unshareable = { forMs: 30_000, namesMax: 10_000 };

/** What became of a fetch. `leader`: it was made for this very request. */
export interface Shared {
  readonly leader: boolean;
  readonly outcome: Outcome;
}

/** Fetches of responses, each for as many requests as it may be made for. */
export class SharedFetches {
  readonly #responses: ResponseFetch;
  readonly #collapse = new Collapse<Outcome>((outcome) => {
    if (outcome.kind === 'passed') discard(outcome.supply);
  });
  /** Names of fetches whose last response could not be stored: such requests do not wait for each other. */
  readonly #unshareable: ExpiringSet;

  constructor(responses: ResponseFetch, nowMs: () => number) {
    this.#responses = responses;
    this.#unshareable = new ExpiringSet({ ...unshareable, nowMs });
  }

  /** Whether a request may wait for the response to another one, for all that is known before that comes. */
  mayShare({ key, request }: Asking): boolean {
    return mayShare(request) && !this.#unshareable.has(nameOf({ key, request }));
  }

  /** For this request and those like it. `other`: a stored response of the same key that it does not select. */
  share(asking: Asking, other?: Representation): Promise<Shared> {
    return this.#run(nameOf(asking, other), asking);
  }

  /** For this request and all that want the same stored response validated. */
  validate(asking: Asking & { readonly stale: Representation }): Promise<Shared> {
    const { key, request, stale } = asking;
    return this.#run(`${request.method} ${stale.id} ${key}`, asking);
  }

  /** For this request alone. */
  alone(asking: Asking): Promise<Outcome> {
    return this.#responses.fetch(asking, asking.request.signal);
  }

  /** What came for such a request: one that could not be stored says that the next one cannot either, for a while. */
  learn({ key, request }: Asking, { kind }: Outcome): void {
    const name = nameOf({ key, request });
    if (kind === 'stored') this.#unshareable.delete(name);
    else if (kind === 'passed' && request.method === 'GET' && mayShare(request)) this.#unshareable.add(name);
  }

  #run(name: string, asking: Asking): Promise<Shared> {
    return this.#collapse.run(name, asking.request.signal, (signal) => this.#responses.fetch(asking, signal));
  }
}

function mayShare({ fields, policy }: CacheRequest): boolean {
  return !policy.requestDirectives || !parseCacheControl(fields.get('cache-control')).noStore;
}

/**
 * The name under which a request shares the fetch of a response with others. Requests whose responses may be kept from
 * others for what they carry do not stand for those without it.
 */
function nameOf({ key, request: { fields } }: Asking, other?: Representation): string {
  const who = fields.has('authorization') ? 'authorized' : 'anyone';
  // Once it is known what the response varies with, those who want the same variant share its fetch.
  const variant = other === undefined ? '' : JSON.stringify(varyOf(other.stored.fields, fields));
  return `${who} ${key} ${variant}`;
}
