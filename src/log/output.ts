import { createWriteStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { WaitingLines } from './lines.ts';

/** Lines waiting for a reader that does not read, in bytes; beyond it lines are dropped, the node goes on. */
const waitingMax = 16 * 1024 * 1024;
const flushTimeoutMs = 1_000;
/** Lines that may wait a little are written when there are so many bytes of them, or so late. */
const batchMax = 128 * 1024;
const batchMs = 200;
/** What a turn of the event loop may add to them, as a rule. */
const turnMax = 64 * 1024;

/**
 * Lines to a stream, in order and without ever waiting: those of one turn of the event loop are one write; what nobody
 * reads is dropped and counted; a stream that breaks is left alone.
 */
export class LineOutput {
  readonly #stream: Writable;
  readonly #waiting = new WaitingLines(batchMax + turnMax);
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #broken = false;
  #dropped = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', () => {
      this.#broken = true;
      this.#waiting.take();
    });
  }

  /** Written in this turn. */
  write(line: string): void {
    if (this.#keep(line)) this.#schedule();
  }

  /** Written with lines that follow it, within a fraction of a second: for lines of which there are very many. */
  writeSoon(line: string): void {
    if (!this.#keep(line)) return;
    if (this.#waiting.length >= batchMax) this.#schedule();
    else this.#timer ??= setTimeout(() => this.#pass(), batchMs).unref();
  }

  /** Whole lines as bytes, written at once: before lines that wait, never inside one. */
  writeBytes(lines: Uint8Array): void {
    if (this.#broken) return;
    if (this.#waiting.length + this.#stream.writableLength <= waitingMax) this.#stream.write(lines);
    else this.#dropped++;
  }

  /** Resolves when all lines are written, or could not be within a second. Never rejects. */
  async flush(): Promise<void> {
    if (this.#broken) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, flushTimeoutMs);
    this.#stream.once('error', () => resolve());
    this.#write();
    this.#stream.write('', () => resolve());
    await promise;
    clearTimeout(timer);
  }

  #keep(line: string): boolean {
    if (this.#broken) return false;
    const fits = this.#waiting.length + this.#stream.writableLength <= waitingMax;
    if (fits) this.#waiting.add(line);
    else this.#dropped++;
    return fits;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#pass());
  }

  #pass(): void {
    this.#scheduled = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#broken) this.#write();
  }

  #write(): void {
    if (this.#dropped > 0) {
      const message = 'log lines were lost: nobody read them';
      this.#waiting.add(`{"level":"warn","time":${Date.now()},"lines":${this.#dropped},"msg":"${message}"}\n`);
      this.#dropped = 0;
    }
    for (const lines of this.#waiting.take()) this.#stream.write(lines);
  }
}

/**
 * Standard output as a stream that never blocks. process.stdout does where it is a pipe or a socket, so a reader that
 * stalls would stop the node; and a blocked write in the thread pool would keep the process from ending.
 */
export function standardOutput(): Writable {
  if (process.stdout.isTTY) return process.stdout;
  const kind = fstatSync(1);
  if (kind.isFIFO() || kind.isSocket()) return new Socket({ fd: 1, readable: false, writable: true });
  return createWriteStream('', { fd: 1, autoClose: false });
}
