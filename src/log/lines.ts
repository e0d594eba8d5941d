/** Lines in so many characters are turned into bytes. */
const packedMin = 8 * 1024;
/** A character is at most so many bytes of UTF-8. */
const bytesPerCharacter = 3;

/**
 * Lines that wait to be written, most of them as bytes already: a line is a string of a dozen parts, all of which the
 * collector moves each time as long as the line waits.
 */
export class WaitingLines {
  readonly #packBytes: number;
  #text = '';
  #pack: Buffer | undefined;
  #used = 0;
  #full: Buffer[] = [];
  #fullBytes = 0;

  /** `packBytes`: of the buffers that `take` returns, or most of them; several times 24 KiB. */
  constructor(packBytes: number) {
    this.#packBytes = packBytes;
  }

  /** Bytes and characters together. */
  get length(): number {
    return this.#text.length + this.#used + this.#fullBytes;
  }

  add(lines: string): void {
    this.#text += lines;
    if (this.#text.length >= packedMin) this.#packText();
  }

  /** All of it, whole lines each; the buffers are the caller's. */
  take(): readonly (Buffer | string)[] {
    if (this.length === this.#text.length) return this.#takeText();
    this.#packText();
    this.#finish();
    const taken = this.#full;
    this.#full = [];
    this.#fullBytes = 0;
    return taken;
  }

  #takeText(): readonly string[] {
    const text = this.#text;
    this.#text = '';
    return text === '' ? [] : [text];
  }

  #packText(): void {
    const text = this.#text;
    this.#text = '';
    const bytesMax = text.length * bytesPerCharacter;
    if (this.#used + bytesMax > this.#packBytes) this.#finish();
    this.#pack ??= Buffer.allocUnsafeSlow(Math.max(this.#packBytes, bytesMax));
    this.#used += this.#pack.write(text, this.#used);
  }

  #finish(): void {
    if (this.#pack === undefined) return;
    this.#full.push(this.#pack.subarray(0, this.#used));
    this.#fullBytes += this.#used;
    this.#pack = undefined;
    this.#used = 0;
  }
}
