import type { MessagePort } from 'node:worker_threads';
import type { MapPolicy } from '../../cache/types.ts';
import type { Config } from '../../config.ts';
import type { RequestReport } from '../../metrics/requests.ts';
import type { ArenaPlace } from '../../workers/lent-memory.ts';

/** What a viewer thread is started with. */
export interface ThreadData {
  /** To the `AskServer` in the main thread. */
  readonly port: MessagePort;
  /** From which it is lent pieces; undefined: there is none. */
  readonly arena: ArenaPlace | undefined;
  readonly listen: Config['listen'];
  readonly https: Config['https'];
  readonly tls: Config['tls'];
  readonly limits: Config['limits'];
  /** Bytes that the kernel may hold unsent for viewers of this thread. */
  readonly unsentBytesMax: number | undefined;
  readonly policies: readonly MapPolicy[];
  readonly logLevel: string;
  readonly pretty: boolean;
  readonly accessLog: boolean;
}

/** What the main thread tells a viewer thread to do. */
export type Order =
  | { readonly kind: 'reload'; readonly policies: readonly MapPolicy[]; readonly logLevel: string }
  | { readonly kind: 'report' }
  /** The last lines of the log were taken: more may come. */
  | { readonly kind: 'lines-taken' }
  | { readonly kind: 'stop-accepting' }
  | { readonly kind: 'drain'; readonly deadlineMs: number };

/** What a thread counted since its last report, and what is so now. */
export interface ThreadReport {
  readonly requests: RequestReport;
  readonly ramBytes: number;
  readonly connections: number;
}

/** What a viewer thread tells the main thread. */
export type Notice =
  | { readonly kind: 'listening'; readonly urls: readonly string[] }
  | { readonly kind: 'not-listening'; readonly reason: string }
  /** Whole lines of the log, in UTF-8. The next ones wait until these are taken. */
  | { readonly kind: 'lines'; readonly bytes: Uint8Array }
  | { readonly kind: 'report'; readonly report: ThreadReport }
  /** Every connection has ended, and everything has been reported. */
  | { readonly kind: 'drained' };
