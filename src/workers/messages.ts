import type { CacheStatus, RepresentationId, Source, StoredResponse } from '../cache/types.ts';
import type { ErrorCode, ErrorSide } from '../errors.ts';
import type { ForwardReason } from '../semantics/forward-reason.ts';

/** Names one request that a thread passed on to the main thread, for as long as it is open. */
export type AskNumber = number;

/** Fields as they travel: flat, as `Fields.raw`. */
type RawFields = readonly string[];

/** An EddyError as it travels. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly side: ErrorSide;
  readonly fwd: ForwardReason | undefined;
}

/**
 * Bytes of a piece that is lent, which nobody writes to: in shared memory, or in the arena, from which they are returned
 * when the thread has no view of them any more.
 */
export type LentBytes = Uint8Array | { readonly loan: LoanNumber; readonly offset: number; readonly length: number };

/** Names bytes of the arena that one thread was lent, until it returns them. */
export type LoanNumber = number;

/** A request of a viewer; the policy goes by its name. */
export interface AskMessage {
  readonly kind: 'ask';
  readonly ask: AskNumber;
  readonly method: string;
  readonly target: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly fields: RawFields;
  readonly map: string;
  /** What the connection carried of late, where a player might be told. */
  readonly throughputKbps?: number;
  /** Content follows: a part for each `pull`. */
  readonly hasBody: boolean;
}

/** What a thread that talks to viewers says to the main thread. */
export type ToMain =
  | AskMessage
  /** Part of the request's content; without `bytes` its end, or its failure. */
  | { readonly kind: 'content'; readonly ask: AskNumber; readonly bytes?: Uint8Array; readonly error?: WireError }
  /** Give first .. last of the answer's content. A new one ends the one before; of a passed body there is one. */
  | {
      readonly kind: 'read';
      readonly ask: AskNumber;
      readonly read: number;
      readonly first: number;
      readonly last: number | undefined;
    }
  /** So many bytes were taken on: as many more may come. */
  | { readonly kind: 'taken'; readonly ask: AskNumber; readonly read: number; readonly bytes: number }
  | { readonly kind: 'stop'; readonly ask: AskNumber; readonly read: number }
  /** Nothing more is wanted of this ask. */
  | { readonly kind: 'leave'; readonly ask: AskNumber }
  /** What was given to viewers lately of what is lent, each once. Pieces as id, first, id, first … */
  | { readonly kind: 'used'; readonly keys: readonly string[]; readonly pieces: Float64Array }
  | { readonly kind: 'returned'; readonly loan: LoanNumber }
  | { readonly kind: 'synced'; readonly sync: number };

/** An answer without its bytes. */
export type AnswerHead =
  | {
      readonly kind: 'representation';
      readonly status: number;
      readonly fields: RawFields;
      readonly cacheStatus: CacheStatus;
      readonly completeLength: number | undefined;
      /** As `Answer`. */
      readonly learntMs: number | undefined;
      /** Where the first byte that the request wants comes from. */
      readonly source: Source;
      /** Which stored response this is; undefined: none that is lent. */
      readonly id: RepresentationId | undefined;
    }
  | {
      readonly kind: 'passed';
      readonly status: number;
      readonly fields: RawFields;
      readonly cacheStatus: CacheStatus;
    };

/** A stored response as it travels. */
export interface LentResponse {
  readonly target: string;
  readonly stored: Omit<StoredResponse, 'fields'> & { readonly fields: RawFields };
}

/** What the main thread says to a thread that talks to viewers. Lending and recalling count in the order they come. */
export type ToThread =
  | { readonly kind: 'pull'; readonly ask: AskNumber }
  | { readonly kind: 'informed'; readonly ask: AskNumber; readonly status: number; readonly fields: RawFields }
  | { readonly kind: 'answered'; readonly ask: AskNumber; readonly head: AnswerHead }
  /** The ask is over, or without an answer yet, or in the middle of its content. */
  | { readonly kind: 'failed'; readonly ask: AskNumber; readonly error: WireError }
  /** Bytes that are the thread's own from now on. */
  | { readonly kind: 'bytes'; readonly ask: AskNumber; readonly read: number; readonly bytes: Uint8Array }
  /** Bytes from .. from + length - 1 of a piece that is lent. */
  | {
      readonly kind: 'piece';
      readonly ask: AskNumber;
      readonly read: number;
      readonly id: RepresentationId;
      readonly first: number;
      readonly bytes: LentBytes;
      readonly from: number;
      readonly length: number;
    }
  | {
      readonly kind: 'ended';
      readonly ask: AskNumber;
      readonly read: number;
      readonly completeLength: number | undefined;
    }
  /** All stored responses of a key, most recent first, to answer from while they are fresh. */
  | { readonly kind: 'lend'; readonly key: string; readonly variants: readonly LentResponse[] }
  /** No longer to be used: stored responses by key, and pieces as id, first, id, first … */
  | { readonly kind: 'recall'; readonly keys: readonly string[]; readonly pieces: readonly number[] }
  /** To be answered with `synced`, once all that came before has been heeded. */
  | { readonly kind: 'sync'; readonly sync: number };
