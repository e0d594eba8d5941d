import type { CacheRequest, MapPolicy } from '../../cache/types.ts';
import type { Fields } from '../../fields.ts';
import type { Mapping } from './policies.ts';
import type { ReadRequest } from './request.ts';

/** Who waits for the answer. */
interface Viewer {
  readonly scheme: 'http' | 'https';
  /** Aborted when the viewer is gone; made when it is asked for. */
  signal(): AbortSignal;
  throughputKbps(): number | undefined;
}

/** A request for a look at what is in memory. Unlike one that is answered for real it has its signal made when asked for. */
export class LookupRequest implements CacheRequest {
  readonly method: string;
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly fields: Fields;
  readonly policy: MapPolicy;
  readonly key: string;
  readonly #viewer: Viewer;

  constructor(read: ReadRequest, { policy, key }: Mapping, viewer: Viewer) {
    this.method = read.method;
    this.target = read.target;
    this.scheme = viewer.scheme;
    this.authority = read.authority;
    this.fields = read.fields;
    this.policy = policy;
    this.key = key;
    this.#viewer = viewer;
  }

  get signal(): AbortSignal {
    return this.#viewer.signal();
  }

  throughputKbps(): number | undefined {
    return this.#viewer.throughputKbps();
  }
}
