/** What a load generator saw from its side during one run. */
export interface Load {
  /** Responses that were complete. */
  readonly requests: number;
  /** Read from the sockets, header sections and unfinished responses too. */
  readonly bytes: number;
  readonly seconds: number;
  readonly p50Ms: number;
  /** wrk counts what it would have sent meanwhile too: time in which nothing is answered weighs as time, not as requests. */
  readonly p99Ms: number;
  /** Connections that broke, timeouts and statuses other than 2xx. */
  readonly errors: number;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly range?: { readonly first: number; readonly last: number } | undefined;
}

/** Beyond the time it is told to take. */
export const graceMs = 20_000;

export function rangeField({ range }: LoadOptions): readonly string[] {
  return range === undefined ? [] : ['-H', `Range: bytes=${range.first}-${range.last}`];
}
