import { once } from 'node:events';
import { createServer } from 'node:net';
import type { MapPolicy } from '../../cache/types.ts';
import type { Config } from '../../config.ts';
import { unsentBudget } from '../../http/socket/unsent-bound.ts';
import { listening } from '../../listening.ts';
import type { ArenaPlace } from '../../workers/lent-memory.ts';
import type { ThreadData } from './thread-messages.ts';
import { type ThreadOptions, ViewerThread } from './viewer-thread-handle.ts';
import type { NodeViewers } from './viewers.ts';

interface ViewerThreadsOptions extends Omit<ThreadOptions, 'onCrashed' | 'program'> {
  readonly config: Config;
  readonly policies: readonly MapPolicy[];
  readonly arena?: ArenaPlace | undefined;
  /** Default: the one of this folder. */
  readonly program?: URL;
}

const defaultProgram = new URL('./viewer-thread.ts', import.meta.url);
const reportMs = 1_000;
/** A thread that crashes is started again after the first delay, and each time later while it goes on crashing. */
const restartMs = { first: 100, most: 10_000 };
/** A crash that long ago is forgotten. */
const crashMemoryMs = 60_000;

/** Starts `config.workers` threads that share the addresses of viewers. Rejects if they cannot listen. */
export async function startViewerThreads(options: ViewerThreadsOptions): Promise<NodeViewers> {
  const threads = new ViewerThreads(options);
  try {
    await threads.start();
  } catch (error) {
    await threads.close();
    throw error;
  }
  return threads;
}

class ViewerThreads implements NodeViewers {
  readonly #options: ViewerThreadsOptions;
  readonly #running = new Set<ViewerThread>();
  readonly #crashedMs: number[] = [];
  readonly #restarts = new Set<NodeJS.Timeout>();
  readonly #reporting: NodeJS.Timeout;
  #data: Omit<ThreadData, 'port'>;
  #closing = false;
  urls: readonly string[] = [];

  constructor(options: ViewerThreadsOptions) {
    const { config, policies, log, arena } = options;
    const { workers, listen, https, tls, limits, logLevel, accessLog } = config;
    const connectionsMax = Math.ceil(limits.connectionsMax / workers);
    const { pretty } = log;
    const budget = unsentBudget();
    const unsentBytesMax = budget && budget / workers;
    this.#options = options;
    const threadLimits = { ...limits, connectionsMax };
    const about = { listen, https, tls, policies, logLevel, accessLog, pretty };
    this.#data = { ...about, arena, limits: threadLimits, unsentBytesMax };
    this.#reporting = setInterval(() => void this.refresh(), reportMs).unref();
  }

  async start(): Promise<void> {
    const { listen, https } = this.#data;
    await Promise.all(listen.map((address) => assertFree('--listen', address)));
    await Promise.all(https.map((address) => assertFree('--https', address)));
    // The first one decides about ports that are left open, and whether listening is possible at all.
    this.urls = await this.#begin().listening();
    const ports = this.urls.map((url) => Number(/:(\d+)$/.exec(url)?.[1]));
    const withPort = (offset: number) => (address: Config['listen'][number], i: number) => {
      return { ...address, port: ports[offset + i] ?? address.port };
    };
    this.#data = { ...this.#data, listen: listen.map(withPort(0)), https: https.map(withPort(listen.length)) };
    const others = Array.from({ length: this.#options.config.workers - 1 }, () => this.#begin());
    await Promise.all(others.map((thread) => thread.listening()));
  }

  connections(): number {
    return [...this.#running].reduce((sum, { connections }) => sum + connections, 0);
  }

  reasons(): readonly string[] {
    return this.#running.size > 0 || this.#closing ? [] : ['no viewer thread is running'];
  }

  reload({ policies, logLevel }: { policies: readonly MapPolicy[]; logLevel: Config['logLevel'] }): void {
    this.#data = { ...this.#data, policies, logLevel };
    for (const thread of this.#running) thread.order({ kind: 'reload', policies, logLevel });
  }

  async refresh(): Promise<void> {
    await Promise.all([...this.#running].map((thread) => thread.report()));
  }

  stopAccepting(): void {
    this.#closing = true;
    for (const timer of this.#restarts) clearTimeout(timer);
    for (const thread of this.#running) thread.order({ kind: 'stop-accepting' });
  }

  async drain(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#running].map((thread) => thread.drain(deadlineMs)));
  }

  async close(): Promise<void> {
    this.stopAccepting();
    clearInterval(this.#reporting);
    await Promise.all([...this.#running].map((thread) => thread.close()));
  }

  #begin(): ViewerThread {
    const { program = defaultProgram, ...options } = this.#options;
    const onCrashed = (error: unknown) => {
      this.#running.delete(thread);
      this.#crashed(error);
    };
    const thread = new ViewerThread(this.#data, { ...options, program, onCrashed });
    this.#running.add(thread);
    return thread;
  }

  /** The connections it had are lost; the others go on, and so does the cache, which is not in it. */
  #crashed(error: unknown): void {
    if (this.#closing || this.urls.length === 0) return;
    const nowMs = Date.now();
    while ((this.#crashedMs[0] ?? nowMs) < nowMs - crashMemoryMs) this.#crashedMs.shift();
    const delayMs = Math.min(restartMs.most, restartMs.first * 2 ** Math.min(this.#crashedMs.length, 10));
    this.#crashedMs.push(nowMs);
    this.#options.log.error({ err: error, delayMs }, 'a viewer thread crashed: it is started again');
    const timer = setTimeout(() => {
      this.#restarts.delete(timer);
      this.#begin()
        .listening()
        .catch((reason: unknown) => this.#options.log.error({ err: reason }, 'a viewer thread cannot listen'));
    }, delayMs);
    this.#restarts.add(timer);
  }
}

/** Threads share an address with whoever else wants to share it: nobody else may be there yet. */
async function assertFree(option: string, address: Config['listen'][number]): Promise<void> {
  if (address.port === 0) return;
  const server = createServer();
  await listening(server, { ...address, option, exclusive: true });
  server.close();
  await once(server, 'close');
}
