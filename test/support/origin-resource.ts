import { patternBytes } from './pattern.ts';

/** A representation that the test origin serves, and what goes wrong with it. Everything has a harmless default. */
export interface OriginResource {
  /** Complete length in bytes. */
  readonly length: number;
  readonly contentType?: string;
  /** More response fields, as `Cache-Control`. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Names the bytes: `resourceBytes`. Default: the path. */
  readonly seed?: string;
  /** Version of the first answers, default 1. Bytes, ETag and Last-Modified follow it. */
  readonly version?: number;
  /** After that many requests (counted as they arrive) the version goes up by one, once. */
  readonly changeAfterRequests?: number;
  /** Default `"v<version>"`; false: no ETag. */
  readonly etag?: string | false;
  /** Default true: an hour and more ago; false: no Last-Modified. */
  readonly lastModified?: string | boolean;
  /** False: Range is ignored, no Accept-Ranges. */
  readonly ranges?: boolean;
  /** True: chunked, no Content-Length. */
  readonly chunked?: boolean;
  /** Added to Content-Length while the body stays as it is. Negative: the origin sends more than it says. */
  readonly contentLengthLie?: number;
  /** So many requests get this status (default 503) without body: the first ones, or those after others. */
  readonly refuseTimes?: number;
  readonly refuseAfterRequests?: number;
  readonly refuseStatus?: number;
  readonly refuseFields?: Readonly<Record<string, string>>;
  /** Waits that long before the response fields. */
  readonly delayMs?: number;
  /** Waits for that before the response fields. */
  readonly until?: Promise<unknown>;
  readonly bytesPerSecond?: number;
  /** Never answers (the connection stays open). */
  readonly hangBeforeHeaders?: boolean;
  /** Stops after that many body bytes of each answer and stays open. */
  readonly hangAfterBytes?: number;
  /** RST after that many body bytes of each answer (0: right after the fields). The client may lose the last of them. */
  readonly resetAfterBytes?: number;
  /** FIN after that many body bytes of each answer: the client gets exactly these. */
  readonly cutAfterBytes?: number;
  /** Hangs, resets and cuts happen to the first so many requests of that path only. Default: to all. */
  readonly faultTimes?: number;
}

/** Bytes of one version of a resource: what a client must receive. */
export function resourceBytes(seed: string, range: { version?: number; first: number; length: number }): Buffer {
  return patternBytes(resourceSeed(seed, range.version ?? 1), range.first, range.length);
}

/** The seed to give to `assertPattern`. */
export function resourceSeed(seed: string, version = 1): string {
  return `${seed}#${version}`;
}

/** Validators of a version, as the origin sends them. */
export function validatorsOf(resource: OriginResource, version: number): { etag?: string; lastModified?: string } {
  const { etag = `"v${version}"`, lastModified = true } = resource;
  const date = new Date(Date.UTC(2024, 0, 1, 0, version)).toUTCString();
  return {
    ...(etag !== false && { etag }),
    ...(lastModified !== false && { lastModified: lastModified === true ? date : lastModified }),
  };
}

/** The part of the representation that a Range field asks for. `all` also when the field is not to be honoured. */
export type AskedRange = 'all' | 'unsatisfiable' | { readonly first: number; readonly last: number };

/** Evaluates Range and If-Range (RFC 9110 sections 13.1.5, 14.2); several ranges are answered as one whole. */
export function askedRange(
  asked: { range?: string | undefined; ifRange?: string | undefined },
  about: { length: number; etag?: string; lastModified?: string },
): AskedRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(asked.range ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return 'all';
  if (asked.ifRange !== undefined && !ifRangeHolds(asked.ifRange, about)) return 'all';
  const suffix = match[1] === '';
  const first = suffix ? Math.max(0, about.length - Number(match[2])) : Number(match[1]);
  const last = suffix || match[2] === '' ? about.length - 1 : Math.min(Number(match[2]), about.length - 1);
  if (!suffix && match[2] !== '' && first > Number(match[2])) return 'all';
  return first >= about.length ? 'unsatisfiable' : { first, last };
}

function ifRangeHolds(ifRange: string, about: { etag?: string; lastModified?: string }): boolean {
  if (ifRange.startsWith('"')) return ifRange === about.etag;
  return !ifRange.startsWith('W/') && ifRange === about.lastModified;
}
