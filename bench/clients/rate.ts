/**
 * Requests at a fixed rate, whether or not earlier ones were answered: a server that stalls makes all that fall due
 * meanwhile late, as it would for viewers. The time counted is from when a request was handed out here, so lateness of
 * this program's own timer is not counted, and waiting for a free connection is.
 */
import { connect, type Socket } from 'node:net';
import { percentile } from '../statistics.ts';
import { clientOptions } from './client.ts';
import { ResponseReader } from './response-reader.ts';

export interface RateOptions {
  readonly url: string;
  /** Asked for in turn; `{n}` counts up from `first`, once a request. */
  readonly targets: readonly string[];
  readonly first: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
}

export interface RateResult {
  readonly sent: number;
  readonly answered: number;
  readonly bodyBytes: number;
  readonly seconds: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly p999Ms: number | undefined;
  readonly maxMs: number | undefined;
  readonly errors: readonly string[];
}

interface Due {
  readonly target: string;
  readonly atMs: number;
}

interface Connection {
  readonly socket: Socket;
  readonly reader: ResponseReader;
  due: Due | undefined;
}

const tailSeconds = 5;
const waitingMax = 20_000;
const errorsMax = 10;

class RateClient {
  readonly #options: RateOptions;
  readonly #buffer = Buffer.allocUnsafe(256 * 1024);
  readonly #waiting: Due[] = [];
  readonly #idle: Connection[] = [];
  readonly #timesMs: number[] = [];
  readonly #errors: string[] = [];
  readonly #done = Promise.withResolvers<void>();
  readonly #startedMs = performance.now();
  #open = 0;
  #sent = 0;
  #pending = 0;
  #bodyBytes = 0;

  constructor(options: RateOptions) {
    this.#options = options;
  }

  async run(): Promise<RateResult> {
    for (let i = 0; i < this.#options.connections; i++) this.#idle.push(this.#connect());
    const ticker = setInterval(() => this.#tick(), 1);
    await this.#done.promise;
    clearInterval(ticker);
    if (this.#pending > 0) this.#fail(`${this.#pending} requests were not answered`);
    const at = (share: number) => percentile(this.#timesMs, share);
    return {
      sent: this.#sent,
      answered: this.#timesMs.length,
      bodyBytes: this.#bodyBytes,
      seconds: this.#elapsedSeconds(),
      ...{ p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) },
      errors: this.#errors,
    };
  }

  #tick(): void {
    const { seconds, perSecond, targets, first } = this.#options;
    const elapsed = this.#elapsedSeconds();
    const wanted = Math.floor(Math.min(elapsed, seconds) * perSecond);
    for (; this.#sent < wanted; this.#sent++) {
      const target = targets[this.#sent % targets.length] ?? '/';
      this.#pending++;
      this.#waiting.push({ target: target.replace('{n}', String(first + this.#sent)), atMs: performance.now() });
    }
    this.#hand();
    const over = elapsed > seconds && (this.#pending === 0 || elapsed > seconds + tailSeconds);
    if (over || this.#waiting.length > waitingMax || this.#open === 0) this.#done.resolve();
  }

  #hand(): void {
    const { host } = new URL(this.#options.url);
    for (;;) {
      const connection = this.#waiting.length === 0 ? undefined : this.#idle.pop();
      const due = connection && this.#waiting.shift();
      if (connection === undefined || due === undefined) return;
      connection.due = due;
      connection.socket.write(`GET ${due.target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    }
  }

  #connect(): Connection {
    const { hostname: host, port } = new URL(this.#options.url);
    const callback = (size: number, bytes: Uint8Array) => {
      this.#take(connection, Buffer.from(bytes.buffer, bytes.byteOffset, size));
      return true;
    };
    const socket = connect({ host, port: Number(port), noDelay: true, onread: { buffer: this.#buffer, callback } });
    const connection: Connection = { socket, reader: new ResponseReader(), due: undefined };
    this.#open++;
    socket.on('error', (error) => this.#fail(String(error)));
    socket.on('close', () => this.#lose(connection));
    return connection;
  }

  #take(connection: Connection, bytes: Buffer): void {
    try {
      const progress = connection.reader.take(bytes);
      if (!progress.complete) return;
      if (progress.status !== 200) this.#fail(`status ${progress.status}`);
      this.#bodyBytes += progress.bodyBytes;
      if (connection.due !== undefined) this.#timesMs.push(performance.now() - connection.due.atMs);
      connection.due = undefined;
      connection.reader.next();
      this.#pending--;
      this.#idle.push(connection);
      this.#hand();
    } catch (error) {
      connection.socket.destroy(error as Error);
    }
  }

  #lose(connection: Connection): void {
    this.#open--;
    if (connection.due !== undefined) this.#pending--;
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    this.#fail('a connection was closed');
  }

  #fail(error: string): void {
    if (this.#errors.length < errorsMax) this.#errors.push(error);
  }

  #elapsedSeconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }
}

process.stdout.write(JSON.stringify(await new RateClient(clientOptions()).run()), () => process.exit(0));
