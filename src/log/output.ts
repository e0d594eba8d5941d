import { createWriteStream, fstatSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** Lines waiting for a reader that does not read, in characters; beyond it lines are dropped, the node goes on. */
const waitingMax = 16 * 1024 * 1024;
const flushTimeoutMs = 1_000;
/** Lines that may wait a little are written when there are so many characters of them, or so late. */
const batchMax = 128 * 1024;
const batchMs = 200;

/**
 * Lines to a stream, in order and without ever waiting: those of one turn of the event loop are one write; what nobody
 * reads is dropped and counted; a stream that breaks is left alone.
 */
export class LineOutput {
  readonly #stream: Writable;
  #waiting = '';
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #broken = false;
  #dropped = 0;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on('error', () => {
      this.#broken = true;
      this.#waiting = '';
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
    this.#stream.write(this.#taken(), () => resolve());
    await promise;
    clearTimeout(timer);
  }

  #keep(line: string): boolean {
    if (this.#broken) return false;
    const fits = this.#waiting.length + this.#stream.writableLength <= waitingMax;
    if (fits) this.#waiting += line;
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
    const text = this.#taken();
    if (text !== '' && !this.#broken) this.#stream.write(text);
  }

  #taken(): string {
    let text = this.#waiting;
    this.#waiting = '';
    if (this.#dropped > 0) {
      text += `{"level":"warn","time":${Date.now()},"lines":${this.#dropped},"msg":"log lines were lost: nobody read them"}\n`;
      this.#dropped = 0;
    }
    return text;
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
