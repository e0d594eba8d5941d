/** A cache that is told of each read and keeps what it wants within its budget. */
export interface Policy {
  readonly name: string;
  /** Bytes held now, at most the budget. */
  readonly bytes: number;
  /** Whether it had the piece; a piece it did not have is offered to it by the same call. */
  access(key: number): boolean;
}

export interface Budget {
  readonly sizes: Int32Array;
  readonly bytesMax: number;
}

export type Build = (budget: Budget) => Policy;
