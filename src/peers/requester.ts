import type { Supplier, Supply, SupplyOptions, SupplyRequest } from '../cache/types.ts';
import { Fields } from '../fields.ts';
import type { Audit } from './audit.ts';
import { Candidates, type CandidatesOptions } from './candidates.ts';
import type { PeerError } from './failure.ts';
import type { Member } from './member.ts';
import type { RequestMessage } from './messages.ts';
import { PeerBody } from './peer-body.ts';
import { groupOf } from './placement.ts';
import { type AskOutcome, race, type Won } from './race.ts';
import { firstAsked } from './range.ts';
import { mayAskPeers, mayGivePeers } from './shareable.ts';
import { BodyCheck } from './verify.ts';

export interface PeerSupplierOptions extends CandidatesOptions {
  /** What a representation is called in the whole cell: the cache key. Must be the same on every node. */
  readonly keyOf: (request: SupplyRequest) => string;
  /** Once for each request sent to a peer. */
  readonly onOutcome: (outcome: AskOutcome) => void;
  /** Body bytes as they are given to the cache. */
  readonly onBytes: (bytes: number) => void;
  /** A peer gave wrong bytes. */
  readonly onCorrupt: (peerId: string, reason: string) => void;
  readonly audit: Audit | undefined;
}

/** Supplies bytes from the cell: the responsible peer first, and nothing when the origin is the better place to ask. */
export class PeerSupplier implements Supplier {
  readonly name = 'peer';
  readonly #options: PeerSupplierOptions;
  readonly #candidates: Candidates;
  readonly #asking = new Map<string, number>();

  constructor(options: PeerSupplierOptions) {
    this.#options = options;
    this.#candidates = new Candidates(options);
  }

  /** Whether a peer is being asked for that group now, and has not answered yet. */
  isAsking(group: string): boolean {
    return this.#asking.has(group);
  }

  async supply(request: SupplyRequest, { signal }: SupplyOptions): Promise<Supply | undefined> {
    const { method, target, fields, map } = request;
    if (request.body !== undefined || !mayAskPeers(method, fields)) return undefined;
    const key = this.#options.keyOf(request);
    const group = groupOf(key, firstAsked(fields.get('range')));
    const links = this.#candidates.for(group);
    if (links.length === 0) return undefined;
    const requestTimeMs = this.#options.nowMs();
    const won = await this.#race(group, links, { message: { map, key, target, fields: fields.raw }, signal });
    return won && this.#supply(won, { group, request, requestTimeMs, signal });
  }

  async #race(
    group: string,
    links: Parameters<typeof race>[0],
    { message, signal }: { message: RequestMessage; signal: AbortSignal },
  ): Promise<Won | undefined> {
    this.#asking.set(group, (this.#asking.get(group) ?? 0) + 1);
    try {
      return await race(links, message, {
        signal,
        onOutcome: (outcome, member) => this.#onOutcome(outcome, member, group),
      });
    } finally {
      const left = (this.#asking.get(group) ?? 1) - 1;
      if (left > 0) this.#asking.set(group, left);
      else this.#asking.delete(group);
    }
  }

  /** Undefined when the answer is of no use here. */
  #supply(
    { exchange, head, member, status }: Won,
    asked: { group: string; request: SupplyRequest; requestTimeMs: number; signal: AbortSignal },
  ): Supply | undefined {
    const fields = new Fields(head.fields);
    if (!mayGivePeers(fields) || !isUseful(head.status)) {
      exchange.cancel();
      member.breaker.undecided();
      this.#options.onOutcome('miss');
      return undefined;
    }
    member.answered();
    const audited = this.#options.audit?.begin({
      request: asked.request,
      status: head.status,
      fields,
      peerId: member.peerId,
    });
    const cancel = () => exchange.cancel();
    asked.signal.addEventListener('abort', cancel, { once: true });
    const body = new PeerBody(exchange, {
      check: new BodyCheck(head.status, fields),
      onBytes: (bytes, position) => {
        this.#options.onBytes(bytes.length);
        audited?.bytes(bytes, position);
      },
      onEnded: (error) => {
        asked.signal.removeEventListener('abort', cancel);
        this.#onEnded(error, { member, group: asked.group, status });
        if (error === undefined) audited?.end();
      },
    });
    const { requestTimeMs } = asked;
    return { source: 'peer', status: head.status, fields, body, requestTimeMs, responseTimeMs: this.#options.nowMs() };
  }

  #onEnded(
    error: PeerError | undefined,
    { member, group, status }: { member: Member; group: string; status: AskOutcome },
  ): void {
    if (error === undefined) member.breaker.succeeded();
    else if (error.failure === 'aborted') member.breaker.undecided();
    else member.breaker.failed();
    this.#onOutcome(error?.failure ?? status, member, group);
  }

  #onOutcome(outcome: AskOutcome, member: Member, group: string): void {
    this.#options.onOutcome(outcome);
    if (outcome === 'corrupt') this.#options.onCorrupt(member.peerId, 'its bytes did not match their digest');
    if (outcome === 'timeout' || outcome === 'broken' || outcome === 'corrupt')
      this.#candidates.avoid(group, member.peerId);
  }
}

/** Failures of the origin are to be met first hand: only then are retries, failover and stale answers decided here. */
function isUseful(status: number): boolean {
  return status < 400 || status === 404 || status === 410;
}
