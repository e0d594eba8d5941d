import type { VideoCache } from '../../cache/cache.ts';
import type { Cache, Content, MapPolicy } from '../../cache/types.ts';
import type { Config } from '../../config.ts';
import { AccessLines } from '../../http/exchange/access-line.ts';
import { startViewers } from '../../http/listener.ts';
import type { FileBacking } from '../../http/socket/file-writes.ts';
import { unsentBudget } from '../../http/socket/unsent-bound.ts';
import type { ProcessLog } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { RamTier } from '../../ram/tier.ts';
import { AskServer } from '../../workers/ask-server.ts';
import { Counterweight } from '../../workers/counterweight.ts';
import { Lender } from '../../workers/lender.ts';
import type { ArenaPlace } from '../../workers/lent-memory.ts';
import { boundConnections } from './connection-bound.ts';
import { startViewerThreads } from './viewer-threads.ts';

/** The listeners of viewers, in this thread or in others. */
export interface NodeViewers {
  readonly urls: readonly string[];
  connections(): number;
  /** Why nobody is served, if so. */
  reasons(): readonly string[];
  reload(next: { policies: readonly MapPolicy[]; logLevel: Config['logLevel'] }): void;
  /** Brings the metrics up to date. */
  refresh(): Promise<void>;
  stopAccepting(): void;
  /** Resolves when no connection is left, or after the deadline. */
  drain(deadlineMs: number): Promise<void>;
  close(): Promise<void>;
}

interface NodeViewersOptions {
  readonly config: Config;
  /** What viewers are served from: `store`, or what stands in front of it. */
  readonly cache: Cache;
  readonly store: VideoCache;
  readonly ram: RamTier;
  /** Memory of pieces of `ram` that is in a file as well. */
  readonly arena: (FileBacking & ArenaPlace) | undefined;
  /** A viewer thread used what is stored under that key. */
  readonly onUsed: (key: string) => void;
  /** Undefined: viewers are served in this thread. */
  readonly lender: Lender | undefined;
  /** At any time. */
  readonly policies: () => readonly MapPolicy[];
  readonly log: ProcessLog;
  readonly metrics: Metrics;
}

/** What lends to viewer threads; undefined when there are none. */
export function createLender(
  { workers }: Config,
  { entriesMax, arena }: { entriesMax: number; arena: Pick<FileBacking, 'offsetOf'> | undefined },
): Lender | undefined {
  if (workers === 1) return undefined;
  const offsetOf = (bytes: Buffer) => arena?.offsetOf(bytes);
  return new Lender({ keysMax: entriesMax, onShared: new Counterweight().add, offsetOf });
}

/** Starts to serve viewers. Rejects when it cannot listen. */
export function openViewers(options: NodeViewersOptions): Promise<NodeViewers> {
  const { cache, store, ram, arena, lender, policies, log, metrics, onUsed } = options;
  const config = boundConnections(options.config, log);
  if (lender === undefined) return openHere({ ...options, config });
  const touch = (key: string): void => {
    store.touch(key);
    onUsed(key);
  };
  const lending = { loan: (content: Content) => store.loan(content), touch };
  return startViewerThreads({
    config,
    policies: policies(),
    arena: arena && { fd: arena.fd, address: arena.address },
    log,
    metrics,
    openAskServer: (port) => new AskServer(port, { cache, lending, ram, lender, policies }),
  });
}

async function openHere({ config, cache, arena, policies, log, metrics }: NodeViewersOptions): Promise<NodeViewers> {
  const accessLines = new AccessLines();
  const viewers = await startViewers({
    listen: config.listen,
    tlsListen: config.https,
    ...(config.tls && { tls: config.tls }),
    cache,
    backing: arena,
    policies: policies(),
    limits: config.limits,
    unsentBytesMax: unsentBudget(),
    log,
    onStarted: () => metrics.requests.started(),
    onFinished: (record) => {
      metrics.requests.finished(record);
      if (config.accessLog) log.access(record, accessLines.of);
    },
  });
  return {
    ...viewers,
    reasons: () => [],
    reload: (next) => viewers.replacePolicies(next.policies),
    refresh: async () => {},
  };
}
