/** What all bodies together bring in one turn of the event loop: some 10 ms of work. */
const turnBytesMax = 4 * 1024 * 1024;

/**
 * Shares the event loop between bodies and everything else. Without it whatever the kernel has received is read before
 * anybody else has a turn: up to 2 MiB from each connection, so that a hit may wait for 100 ms behind fast fills.
 */
export class ReadTurn {
  #bytes = 0;
  #ends = false;
  #resting: (() => void)[] = [];

  /** Counts what has come. True: that is enough for now, no more is to be read until `goOn` is called, in the next turn. */
  isOver(bytes: number, goOn: () => void): boolean {
    this.#bytes += bytes;
    if (!this.#ends) {
      this.#ends = true;
      setImmediate(() => this.#end());
    }
    if (this.#bytes < turnBytesMax) return false;
    this.#resting.push(goOn);
    return true;
  }

  #end(): void {
    const resting = this.#resting;
    this.#bytes = 0;
    this.#ends = false;
    this.#resting = [];
    for (const goOn of resting) goOn();
  }
}
