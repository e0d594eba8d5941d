import { close, closeSync, open, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ResidentReads } from './resident-reads.ts';

const openFile = promisify(open);
const readFile = promisify(read);

interface OpenFile {
  readonly descriptor: number;
  users: number;
  forgotten: boolean;
}

/** Open files by path, the least recently used first; at most `filesMax` but for those that are being read. */
export class TableFiles {
  readonly #filesMax: number;
  readonly #resident: ResidentReads | undefined;
  readonly #files = new Map<string, OpenFile>();
  #latest: string | undefined;

  constructor(filesMax: number, resident: ResidentReads | undefined) {
    this.#filesMax = filesMax;
    this.#resident = resident;
  }

  /** Whether `readNow` can tell what is in memory. */
  get knowsResident(): boolean {
    return this.#resident !== undefined;
  }

  /**
   * Fills `buffer` from `position` on in this thread, without waiting for the device as far as that can be told. False:
   * it is not open, or not all of it is there.
   */
  readNow(path: string, buffer: Buffer<ArrayBuffer>, position: number): boolean {
    const file = this.#files.get(path);
    if (file === undefined) return false;
    this.#touch(path, file);
    if (this.#resident !== undefined) return this.#resident.read(file.descriptor, buffer, position);
    return readSync(file.descriptor, buffer, 0, buffer.length, position) === buffer.length;
  }

  /** Fills `buffer` from `position` on, as far as the file goes; resolves to the number of bytes. */
  async read(path: string, buffer: Buffer, position: number): Promise<number> {
    const file = await this.#open(path);
    file.users++;
    try {
      let filled = 0;
      while (filled < buffer.length) {
        const { bytesRead } = await readFile(
          file.descriptor,
          buffer,
          filled,
          buffer.length - filled,
          position + filled,
        );
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled;
    } finally {
      file.users--;
      closeForgotten(file);
    }
  }

  /** Closes it as soon as nobody reads it. */
  forget(path: string): void {
    const file = this.#files.get(path);
    if (file === undefined) return;
    this.#files.delete(path);
    if (this.#latest === path) this.#latest = undefined;
    file.forgotten = true;
    closeForgotten(file);
  }

  async #open(path: string): Promise<OpenFile> {
    const known = this.#files.get(path);
    if (known !== undefined) return this.#touch(path, known);
    const descriptor = await openFile(path, 'r');
    const meanwhile = this.#files.get(path);
    if (meanwhile !== undefined) {
      close(descriptor);
      return meanwhile;
    }
    const file = { descriptor, users: 0, forgotten: false };
    this.#files.set(path, file);
    this.#latest = path;
    for (const oldest of this.#files.keys()) {
      if (this.#files.size <= this.#filesMax) break;
      if (oldest !== path) this.forget(oldest);
    }
    return file;
  }

  #touch(path: string, file: OpenFile): OpenFile {
    if (this.#latest === path) return file;
    this.#latest = path;
    this.#files.delete(path);
    this.#files.set(path, file);
    return file;
  }
}

function closeForgotten(file: OpenFile): void {
  if (!file.forgotten || file.users > 0) return;
  try {
    closeSync(file.descriptor);
  } catch {
    // What could not be read any more cannot be closed either.
  }
}
