import { MessageChannel, Worker } from 'node:worker_threads';
import type { ProcessLog } from '../../log.ts';
import type { Metrics } from '../../metrics.ts';
import type { AskServer } from '../../workers/ask-server.ts';
import { BatchedPort, receiveAll } from '../../workers/batched-port.ts';
import type { ToMain, ToThread } from '../../workers/messages.ts';
import type { Port } from '../../workers/port.ts';
import type { Notice, Order, ThreadData, ThreadReport } from './thread-messages.ts';

export interface ThreadOptions {
  readonly program: URL;
  readonly log: ProcessLog;
  readonly metrics: Metrics;
  readonly openAskServer: (port: Port<ToThread>) => AskServer;
  /** It ended without having been told to. */
  readonly onCrashed: (error: unknown) => void;
}

const startTimeoutMs = 30_000;
const reportTimeoutMs = 1_000;

/** One running viewer thread as the main thread sees it. Once it has ended it stays ended. */
export class ViewerThread {
  readonly #options: ThreadOptions;
  readonly #worker: Worker;
  readonly #askServer: AskServer;
  readonly #started = Promise.withResolvers<readonly string[]>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  #reported = Promise.withResolvers<void>();
  #closing = false;
  #error: unknown;
  #inFlight = 0;
  connections = 0;

  constructor(data: Omit<ThreadData, 'port'>, options: ThreadOptions) {
    this.#options = options;
    const { port1, port2 } = new MessageChannel();
    this.#worker = new Worker(options.program, {
      workerData: { ...data, port: port1 } satisfies ThreadData,
      transferList: [port1],
      name: 'viewers',
    });
    this.#askServer = options.openAskServer(new BatchedPort(port2));
    receiveAll<ToMain>(port2, (message) => this.#askServer.receive(message));
    this.#worker.on('message', (notice: Notice) => this.#heed(notice));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.once('exit', () => {
      port2.close();
      this.#onExit();
    });
    this.#started.promise.catch(() => {});
  }

  /** Resolves to the URLs it listens on; rejects when it cannot. */
  async listening(): Promise<readonly string[]> {
    const timer = setTimeout(() => {
      this.#started.reject(new Error(`a viewer thread did not start within ${startTimeoutMs} ms`));
    }, startTimeoutMs);
    try {
      return await this.#started.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  order(order: Order): void {
    this.#worker.postMessage(order);
  }

  /** Resolves when what it has counted is in the metrics, or could not be had in time. */
  async report(): Promise<void> {
    this.order({ kind: 'report' });
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, reportTimeoutMs);
    await Promise.race([this.#reported.promise, this.#ended.promise, late.promise]);
    clearTimeout(timer);
  }

  /** Resolves when its last connection has ended, which it sees to itself, or when it has. */
  async drain(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.order({ kind: 'drain', deadlineMs });
    await Promise.race([this.#drained.promise, this.#ended.promise]);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#worker.terminate();
    await this.#ended.promise;
  }

  #heed(notice: Notice): void {
    switch (notice.kind) {
      case 'listening':
        return this.#started.resolve(notice.urls);
      case 'not-listening':
        return this.#started.reject(new Error(notice.reason));
      case 'lines':
        this.#options.log.lines(notice.bytes);
        return this.order({ kind: 'lines-taken' });
      case 'report':
        return this.#take(notice.report);
      case 'drained':
        return this.#drained.resolve();
      default:
        return notice satisfies never;
    }
  }

  #take({ requests, ramBytes, connections }: ThreadReport): void {
    const { metrics } = this.#options;
    metrics.requests.add(requests);
    metrics.servedBytes.ram.add(ramBytes);
    this.connections = connections;
    this.#inFlight += requests.started - requests.ended;
    this.#reported.resolve();
    this.#reported = Promise.withResolvers();
  }

  #onExit(): void {
    this.#askServer.close();
    this.#options.metrics.requests.forget(this.#inFlight);
    this.connections = 0;
    const error = this.#error ?? new Error('a viewer thread ended by itself');
    this.#started.reject(error);
    this.#ended.resolve();
    if (!this.#closing) this.#options.onCrashed(error);
  }
}
