/** An exponentially weighted moving average: each sample moves it by `share` of the way. */
export class Average {
  readonly #share: number;
  #value: number | undefined;

  constructor(share: number) {
    this.#share = share;
  }

  /** Undefined before the first sample. */
  get value(): number | undefined {
    return this.#value;
  }

  add(sample: number): void {
    this.#value = this.#value === undefined ? sample : this.#value + this.#share * (sample - this.#value);
  }
}
