import type { Rig, Running } from '../rig.ts';

/** A cache that is measured. */
export interface Server {
  /** As rows are named: the product, and how it is set up when it is measured in several ways. */
  readonly name: string;
  readonly product: Product;
  readonly version: string;
  /** Measured for comparison, but not one of the peers that ratios are taken to. */
  readonly reference: boolean;
  readonly http: string;
  /** Undefined: it has no TLS. */
  readonly https: string | undefined;
  /** The processes whose use is counted, each with its descendants. */
  readonly pids: readonly number[];
  /** Files that grow with each request. */
  readonly logs: readonly string[];
  /** Whether these response fields say that the answer came from its cache. */
  isHit(fields: Headers): boolean;
  stop(): Promise<void>;
}

export type Product = 'eddy' | 'nginx' | 'varnish' | 'trafficserver' | 'raw';

/** What every server is started with. */
export interface ServerOptions {
  readonly rig: Rig;
  /** URL of the origin. */
  readonly origin: string;
  readonly certificate: { readonly certFile: string; readonly keyFile: string };
  readonly accessLog: boolean;
  /** Bytes each may keep. */
  readonly ramBytes: number;
  readonly diskBytes: number;
  /** Default: the core for servers alone. */
  readonly cores?: readonly number[];
  /** Threads or processes that serve viewers, where that can be chosen; default 1. */
  readonly workers?: number;
}

/** The part of a Server that follows from its processes. */
export function serverOf(
  running: readonly Running[],
  about: Omit<Server, 'pids' | 'logs' | 'stop' | 'reference'> & {
    readonly logs?: readonly string[];
    readonly reference?: boolean;
  },
): Server {
  return {
    reference: false,
    ...about,
    pids: running.map(({ pid }) => pid),
    logs: [...running.map(({ log }) => log), ...(about.logs ?? [])],
    stop: async () => {
      await Promise.all(running.map((each) => each.stop()));
    },
  };
}
