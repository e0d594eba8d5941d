import type { Fields } from '../../fields.ts';

/** What a peer asks of this node. */
export interface PeerRequest {
  readonly peerId: string;
  readonly map: string;
  readonly key: string;
  readonly target: string;
  /** End-to-end fields, the conditions and the Range of the request among them. */
  readonly fields: Fields;
  /** Only what is held is wanted: nothing is to be fetched for it. */
  readonly heldOnly: boolean;
}

/** What this node gives: as an answer to an HTTP GET, `body` being the content of that answer. */
export interface PeerAnswer {
  readonly status: number;
  /** As they would go to a viewer: with Age, Content-Length, Content-Range. */
  readonly fields: Fields;
  /** Of the representation; undefined while unknown. */
  readonly completeLength: number | undefined;
  /** Buffers are read-only. It is read to its end, or its iterator is returned. */
  readonly body: AsyncIterable<Buffer>;
  /** Whether this node fetched all it has of it from the origin, and may say so by its signature, once the body is through. */
  readonly fetchedHere?: boolean;
  /** The bytes of the body when all of them are in memory: what others signed of them is compared and sent along. */
  readonly peek?: () => readonly Buffer[] | undefined;
  /** Whether the memory of the buffers is never written to again: then what is hashed once is remembered. */
  readonly buffersAreKept?: boolean;
}

/**
 * Where the responder gets answers from: the tiers, a flight, or the configured origins. Never another peer, nor a flight
 * that waits for one: a request between peers is not passed on. Undefined: nothing. `denied`: nothing that any peer may
 * give, so that the one who asks goes to the origin at once.
 */
export interface PeerSource {
  open(request: PeerRequest, signal: AbortSignal): Promise<PeerAnswer | 'denied' | undefined>;
}
