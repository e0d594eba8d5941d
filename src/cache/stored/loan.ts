import type { RepresentationId } from '../types.ts';
import type { Representation } from './representation.ts';

/** A stored response that another thread may answer from by itself, and all that shares its key. */
export interface Loan {
  readonly id: RepresentationId;
  readonly key: string;
  /** Most recent first, as the cache chooses among them. */
  readonly variants: readonly Pick<Representation, 'stored' | 'target'>[];
  /** Bytes that no viewer got yet: they count for the supplier that brought them, so the cache gives them itself. */
  readonly unserved: { touches(first: number, last: number): boolean };
}
