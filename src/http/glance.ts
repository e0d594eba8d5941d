import type { CacheRequest, MapPolicy } from '../cache/types.ts';
import type { Mapping } from './policies.ts';
import type { Fields } from '../fields.ts';
import type { ReadRequest } from './request.ts';

/** A request for a look at what is in memory. Unlike one that is answered for real it has its signal made when asked for. */
export class Glance implements CacheRequest {
  readonly method: string;
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly fields: Fields;
  readonly policy: MapPolicy;
  readonly key: string;
  readonly #signal: () => AbortSignal;

  constructor(
    read: ReadRequest,
    { policy, key }: Mapping,
    { scheme, signal }: { scheme: 'http' | 'https'; signal: () => AbortSignal },
  ) {
    this.method = read.method;
    this.target = read.target;
    this.scheme = scheme;
    this.authority = read.authority;
    this.fields = read.fields;
    this.policy = policy;
    this.key = key;
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return this.#signal();
  }
}
