import type { Fields } from '../fields.ts';

/** What is asked of a supplier. Fields are end-to-end only; the supplier adds Host, credentials and hop-by-hop fields. */
export interface SupplyRequest {
  readonly method: string;
  /** Origin-form: path and query as the viewer sent them. */
  readonly target: string;
  readonly fields: Fields;
  readonly body?: AsyncIterable<Uint8Array>;
  /** Which origin map of the configuration. */
  readonly map: string;
}

/** A supplier's answer. The body must be read to its end or its iterator returned; it ends early by throwing EddyError. */
export interface Supply {
  readonly source: 'peer' | 'origin';
  /** The peers that gave of it, by id; it may grow while the body is read. */
  readonly givers?: ReadonlySet<string>;
  readonly status: number;
  /** As received, hop-by-hop fields removed; Content-Length, Content-Range and Transfer-Encoding semantics applied to `body`. */
  readonly fields: Fields;
  /** Buffers belong to the reader from the moment they are given. */
  readonly body: AsyncIterable<Buffer>;
  /**
   * For a reader that has copied such a buffer, and all before it, and lets go of them: the supplier frees their memory
   * at once, or uses it for the next bytes.
   */
  readonly onTaken?: (bytes: Buffer) => void;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

export interface SupplyOptions {
  readonly signal: AbortSignal;
  /** 1xx responses other than 100 and 101, as they come (RFC 8297 Early Hints). */
  readonly onInformational?: (status: number, fields: Fields) => void;
}

/** A source of bytes beyond the tiers: peers, then origin. Undefined: not mine, ask the next one. Throws EddyError. */
export interface Supplier {
  readonly name: 'peer' | 'origin';
  supply(request: SupplyRequest, options: SupplyOptions): Promise<Supply | undefined>;
}
