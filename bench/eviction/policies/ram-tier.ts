import { Admission, type Segment, type Weighed } from '../../../src/ram/admission.ts';
import { hashOf } from '../../../src/ram/sketch.ts';
import type { Budget, Policy } from './policy.ts';

/** The RAM tier's own admission, the very class the node runs. */
export class RamAdmission implements Policy {
  readonly name = 'W-TinyLFU adaptive (src/ram)';
  readonly #budget: Budget;
  readonly #resident = new Map<number, Piece>();
  readonly #admission: Admission<Piece>;

  constructor(budget: Budget) {
    this.#budget = budget;
    this.#admission = new Admission(Math.floor(budget.bytesMax), (piece) => this.#resident.delete(piece.key));
  }

  get bytes(): number {
    return this.#admission.bytes;
  }

  access(key: number): boolean {
    const piece = this.#resident.get(key);
    if (piece !== undefined) {
      this.#admission.touch(piece);
      return true;
    }
    const fresh = new Piece(key, this.#budget.sizes[key] as number);
    this.#resident.set(key, fresh);
    this.#admission.add(fresh);
    return false;
  }
}

class Piece implements Weighed<Piece> {
  readonly key: number;
  readonly cost: number;
  readonly hash: number;
  segment: Segment<Piece> | undefined = undefined;
  usedAt = 0;

  constructor(key: number, cost: number) {
    this.key = key;
    this.cost = cost;
    this.hash = hashOf(1, key);
  }
}
