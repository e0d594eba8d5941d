import { Fields } from '../../fields.ts';
import { PeerError, type PeerFailure } from '../failure.ts';
import type { KeptDigests } from '../integrity/kept-digests.ts';
import type { Manifests } from '../integrity/manifests.ts';
import type { Member } from '../members/member.ts';
import { groupOf } from '../members/placement.ts';
import { firstAsked } from '../range.ts';
import { isKeyTarget, mayAskPeers } from '../shareable.ts';
import type { FramedStream } from '../wire/framed-stream.ts';
import { encodeFrame, withId } from '../wire/frames.ts';
import {
  encodeStatus,
  parseRequest,
  type RequestMessage,
  type StatusMessage,
  type StatusName,
} from '../wire/messages.ts';
import { Answering } from './answering.ts';
import type { PeerSource } from './source.ts';
import type { UploadBudget } from './upload-budget.ts';

/** How a request of a peer ended, for counting. */
export type ResponseOutcome = StatusName | PeerFailure;

export interface ResponderOptions {
  readonly source: PeerSource;
  readonly budget: UploadBudget;
  readonly digests: KeptDigests;
  readonly manifests: Manifests;
  /** Resolves once this node no longer asks peers for that group itself; undefined: it does not. Never rejects. */
  readonly asking: (group: string) => Promise<unknown> | undefined;
  readonly onBytes: (bytes: number) => void;
  readonly onOutcome: (outcome: ResponseOutcome) => void;
}

interface ResponderLink {
  readonly member: Member;
  readonly send: (...frames: readonly Buffer[]) => void;
  /** Whether nothing waits to be sent that way. */
  readonly isClear: () => boolean;
  readonly bulk: () => Promise<FramedStream>;
}

/** Answers under way for one peer. */
const answersMax = 32;
/** A peer is told to go elsewhere rather than to wait this long for the upload budget. */
const budgetWaitMsMax = 500;

/** Answers one peer's requests, within limits, from this node's own means. */
export class Responder {
  readonly #link: ResponderLink;
  readonly #options: ResponderOptions;
  readonly #answers = new Map<number, Answering>();

  constructor(link: ResponderLink, options: ResponderOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** Answers under way. */
  get count(): number {
    return this.#answers.size;
  }

  /** Throws PeerError when the peer breaks the protocol. */
  onRequest(payload: Buffer): void {
    if (payload.length < 4) throw new PeerError('broken', 'a request without id');
    const id = payload.readUInt32BE();
    if (this.#answers.has(id)) throw new PeerError('broken', `a second request ${id}`);
    const message = parseRequest(payload.subarray(4));
    const fields = new Fields(message.fields);
    const asking = this.#options.asking(groupOf(message.key, firstAsked(fields.get('range'))));
    const refusal = this.#refusal(message, { fields, isAsking: asking !== undefined });
    if (refusal !== undefined) {
      this.#options.onOutcome(refusal);
      this.#status(id, { answer: refusal });
      return;
    }
    const { map, key, target, heldOnly = false } = message;
    const answering = new Answering(
      { peerId: this.#link.member.peerId, map, key, target, fields, heldOnly },
      {
        ...this.#options,
        id,
        after: asking,
        bulk: this.#link.bulk,
        send: this.#link.send,
        isClear: this.#link.isClear,
        sendStatus: (status) => this.#status(id, status),
        onBytes: (bytes) => {
          this.#link.member.bytesOut += bytes;
          this.#options.onBytes(bytes);
        },
      },
    );
    this.#answers.set(id, answering);
    void answering.run().then((outcome) => {
      this.#answers.delete(id);
      this.#options.onOutcome(outcome);
    });
  }

  onControl(name: 'credit' | 'cancel', payload: Buffer): void {
    if (payload.length !== (name === 'credit' ? 8 : 4)) throw new PeerError('broken', `a malformed ${name} frame`);
    const answering = this.#answers.get(payload.readUInt32BE());
    if (name === 'cancel') answering?.stop(new PeerError('aborted', 'the peer wants no more'));
    else answering?.addCredit(payload.readUInt32BE(4));
  }

  close(error: PeerError): void {
    for (const answering of this.#answers.values()) answering.stop(error);
  }

  #refusal(
    { target, heldOnly }: RequestMessage,
    { fields, isAsking }: { fields: Fields; isAsking: boolean },
  ): StatusName | undefined {
    if (this.#link.member.state === 'quarantined' || !mayAskPeers('GET', fields) || isKeyTarget(target))
      return 'denied';
    // Who is asked for what it holds may not wait: two nodes might, for each other.
    if (heldOnly && isAsking) return 'miss';
    if (this.#answers.size >= answersMax || this.#options.budget.waitMs > budgetWaitMsMax) return 'busy';
    return undefined;
  }

  #status(id: number, status: StatusMessage): boolean {
    const encoded = encodeStatus(status);
    if (encoded !== undefined) this.#link.send(encodeFrame('status', withId(id, encoded)));
    return encoded !== undefined;
  }
}
