/**
 * Many clients on one object at once. Each reads its first bytes and nothing more until all have theirs: otherwise the
 * bodies of the first clients would be read before the last one's first byte, and that would measure this program.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { clientOptions } from './client.ts';
import { ResponseReader } from './response-reader.ts';

export interface HerdOptions {
  readonly url: string;
  readonly clients: number;
  readonly timeoutMs: number;
}

export interface HerdResult {
  /** From the moment requests were sent to each client's first body byte. */
  readonly firstByteMs: readonly number[];
  /** Whole responses with status 200. */
  readonly complete: number;
  /** Until the last body was read. */
  readonly totalMs: number;
  readonly errors: readonly string[];
}

const connectBatch = 100;
const errorsMax = 10;

class Herd {
  readonly #options: HerdOptions;
  // Reads are synchronous: one buffer does for all. Small at first, so that a first read is cheap.
  readonly #firstBuffer = Buffer.allocUnsafe(2048);
  readonly #restBuffer = Buffer.allocUnsafe(256 * 1024);
  readonly #firstByteMs: number[] = [];
  readonly #errors: string[] = [];
  readonly #allBegun = Promise.withResolvers<void>();
  readonly #allEnded = Promise.withResolvers<void>();
  #held = true;
  #startedMs = 0;
  #complete = 0;
  #ended = 0;

  constructor(options: HerdOptions) {
    this.#options = options;
  }

  async run(): Promise<HerdResult> {
    const { clients, timeoutMs, url } = this.#options;
    const timer = setTimeout(() => this.#giveUp(), timeoutMs);
    const sockets: Socket[] = [];
    for (let i = 0; i < clients; i += connectBatch) {
      const batch = Array.from({ length: Math.min(connectBatch, clients - i) }, () => this.#open());
      await Promise.all(batch.map((socket) => once(socket, 'connect')));
      sockets.push(...batch);
    }
    const { host, pathname } = new URL(url);
    const request = `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    this.#startedMs = performance.now();
    for (const socket of sockets) socket.write(request);
    await this.#allBegun.promise;
    this.#held = false;
    for (const socket of sockets) socket.resume();
    await this.#allEnded.promise;
    clearTimeout(timer);
    const totalMs = performance.now() - this.#startedMs;
    for (const socket of sockets) socket.destroy();
    return { firstByteMs: this.#firstByteMs, complete: this.#complete, totalMs, errors: this.#errors };
  }

  #open(): Socket {
    const reader = new ResponseReader();
    const state = { begun: false, ended: false };
    const end = (error?: string) => {
      if (state.ended) return;
      state.ended = true;
      if (error === undefined) this.#complete++;
      else this.#fail(error);
      if (++this.#ended === this.#options.clients) this.#allEnded.resolve();
    };
    const callback = (size: number, buffer: Uint8Array) => {
      try {
        const progress = reader.take(Buffer.from(buffer.buffer, buffer.byteOffset, size));
        if (!state.begun && progress.bodyBytes > 0) {
          state.begun = true;
          this.#noteFirstByte();
        }
        if (progress.complete) end(progress.status === 200 ? undefined : `status ${progress.status}`);
      } catch (error) {
        end(String(error));
      }
      return !(this.#held && state.begun);
    };
    const { hostname: host, port } = new URL(this.#options.url);
    const buffer = () => (this.#held ? this.#firstBuffer : this.#restBuffer);
    const socket = connect({ host, port: Number(port), onread: { buffer, callback } });
    socket.on('error', (error) => end(String(error)));
    socket.on('close', () => end('closed before its end'));
    return socket;
  }

  #noteFirstByte(): void {
    this.#firstByteMs.push(performance.now() - this.#startedMs);
    if (this.#firstByteMs.length === this.#options.clients) this.#allBegun.resolve();
  }

  /** One client that fails lets the rest go on. */
  #fail(error: string): void {
    if (this.#errors.length < errorsMax) this.#errors.push(error);
    this.#allBegun.resolve();
  }

  #giveUp(): void {
    this.#fail(`not done after ${this.#options.timeoutMs} ms`);
    this.#allEnded.resolve();
  }
}

process.stdout.write(JSON.stringify(await new Herd(clientOptions()).run()), () => process.exit(0));
