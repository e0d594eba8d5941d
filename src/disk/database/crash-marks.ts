import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/*
 * Some corruptions end the process (LevelDB asserts on a zeroed block, a truncated table that is mapped is a SIGBUS),
 * so what was being used is written down before each use. One byte for each database: bit 0 while it is in use, the
 * other bits how many starts in a row found it in use. The bytes are in the page cache, which outlives the process.
 */

const slots = 4096;
const strikesMax = 100;

/** Starts in a row that found a database in use before it is looked at from outside the process. */
const strikesForSuspicion = 2;

/** The slot of the index; generations have the rest. */
export const indexSlot = 0;
export const generationSlot = (generation: number): number => 1 + (generation % (slots - 1));

/** Writes down which databases are in use, in a file that a crashed process leaves behind. Costs about 1 us a change. */
export class CrashMarks {
  readonly #file: number;
  readonly #strikes = new Uint8Array(slots);
  readonly #byte = Buffer.alloc(1);
  #closed = false;

  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    closeSync(this.#file);
    this.#file = openSync(path, 'r+');
    const before = Buffer.alloc(slots);
    readSync(this.#file, before, 0, slots, 0);
    for (let slot = 0; slot < slots; slot++) {
      const byte = before[slot] ?? 0;
      if ((byte & 1) === 1) this.#strikes[slot] = Math.min((byte >> 1) + 1, strikesMax);
    }
    this.#writeAll();
  }

  isSuspect(slot: number): boolean {
    return (this.#strikes[slot] ?? 0) >= strikesForSuspicion;
  }

  /** The database behind that slot was found sound, or is gone. */
  clear(slot: number): void {
    this.#strikes[slot] = 0;
    this.leave(slot);
  }

  enter(slot: number): void {
    this.#write(slot, 1);
  }

  leave(slot: number): void {
    this.#write(slot, 0);
  }

  /** A clean end: nothing is suspect at the next start. */
  close(): void {
    this.#strikes.fill(0);
    this.#writeAll();
    this.#closed = true;
    closeSync(this.#file);
  }

  /** The store did not open: what is known stays for the next start. */
  abandon(): void {
    this.#closed = true;
    closeSync(this.#file);
  }

  #write(slot: number, inUse: 0 | 1): void {
    // A read that outlives the store must not write to whoever has the descriptor then.
    if (this.#closed) return;
    this.#byte[0] = ((this.#strikes[slot] ?? 0) << 1) | inUse;
    try {
      writeSync(this.#file, this.#byte, 0, 1, slot);
    } catch {
      // Marks are a precaution: a device that cannot write one byte shows elsewhere.
    }
  }

  #writeAll(): void {
    try {
      writeSync(this.#file, Buffer.from(this.#strikes.map((strikes) => strikes << 1)), 0, slots, 0);
    } catch {
      // As above.
    }
  }
}
