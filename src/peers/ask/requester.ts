import type { Supplier, Supply, SupplyOptions, SupplyRequest } from '../../cache/supply.ts';
import { Fields } from '../../fields.ts';
import { PeerError } from '../failure.ts';
import type { Audit } from '../integrity/audit.ts';
import { decodeManifest, type Manifest, manifestFault } from '../integrity/manifest.ts';
import type { Manifests } from '../integrity/manifests.ts';
import { BodyCheck } from '../integrity/verify.ts';
import type { Member } from '../members/member.ts';
import { groupOf } from '../members/placement.ts';
import { firstAsked } from '../range.ts';
import { isKeyTarget, mayAskPeers, mayGivePeers } from '../shareable.ts';
import { encodeRequest } from '../wire/messages.ts';
import { type CandidatesOptions, candidatesFor } from './candidates.ts';
import { ContinuedBody } from './continued-body.ts';
import { PeerBody } from './peer-body.ts';
import { type AskOutcome, race, type Won } from './race.ts';
import { isUseful } from './wanted.ts';

interface PeerSupplierOptions extends CandidatesOptions {
  readonly nowMs: () => number;
  /** What a representation is called in the whole cell: the cache key. Must be the same on every node. */
  readonly keyOf: (request: SupplyRequest) => string;
  /** Once for each request sent to a peer. */
  readonly onOutcome: (outcome: AskOutcome) => void;
  /** Body bytes as they are given to the cache. */
  readonly onBytes: (bytes: number) => void;
  /** A peer gave wrong bytes. */
  readonly onCorrupt: (peerId: string, reason: string) => void;
  readonly audit: Audit | undefined;
  /** Continues bodies that peers break off; undefined: they end with an error. */
  readonly origin: Supplier | undefined;
  /** Keeps what came signed with a body, to be given on with it. */
  readonly manifests: Pick<Manifests, 'keep'>;
}

interface Asking {
  readonly signal: AbortSignal;
  /** Those who gave of the body; when there are some, what is asked for is the rest of it. */
  readonly givers: Set<string>;
}

interface Asked extends Asking {
  readonly key: string;
  readonly request: SupplyRequest;
  readonly requestTimeMs: number;
}

/** Supplies bytes from the cell: the responsible peer first, and nothing when the origin is the better place to ask. */
export class PeerSupplier implements Supplier {
  readonly name = 'peer';
  readonly #options: PeerSupplierOptions;
  readonly #asking = new Map<string, Set<Promise<unknown>>>();

  constructor(options: PeerSupplierOptions) {
    this.#options = options;
  }

  /** Resolves once no peer is being asked to fetch something of that group; undefined: none is. Never rejects. */
  asking(group: string): Promise<unknown> | undefined {
    const asking = this.#asking.get(group);
    return asking && Promise.allSettled(asking);
  }

  supply(request: SupplyRequest, { signal }: SupplyOptions): Promise<Supply | undefined> {
    return this.#ask(request, { signal, givers: new Set() });
  }

  async #ask(request: SupplyRequest, asking: Asking): Promise<Supply | undefined> {
    const { signal, givers } = asking;
    const { method, target, fields, map } = request;
    if (request.body !== undefined || !mayAskPeers(method, fields) || isKeyTarget(target)) return undefined;
    const key = this.#options.keyOf(request);
    const group = groupOf(key, firstAsked(fields.get('range')));
    const candidates = candidatesFor({ group, except: givers }, this.#options);
    if (candidates.length === 0) return undefined;
    // Somebody was too slow already.
    const patient = givers.size > 0;
    const message = { map, key, target, fields: fields.raw };
    const asked = encodeRequest(message);
    const wantsHeld = candidates.some(({ heldOnly }) => heldOnly);
    const askedHeld = wantsHeld ? encodeRequest({ ...message, heldOnly: true }) : asked;
    if (asked === undefined || askedHeld === undefined) return undefined;
    const asks = candidates.map(({ link, heldOnly }) => ({ link, request: heldOnly ? askedHeld : asked, patient }));
    if (signal.aborted) throw new PeerError('aborted', 'nobody waits for this any more', signal.reason);
    const requestTimeMs = this.#options.nowMs();
    const options = {
      signal,
      onOutcome: (outcome: AskOutcome, member: Member) => this.#onOutcome(outcome, member),
    };
    const racing = race(asks, options);
    // Who is asked for what it holds never waits for us, so nobody who asks us has to wait for it.
    if (candidates.some(({ heldOnly }) => !heldOnly)) this.#note(group, racing);
    const won = await racing;
    return won && this.#supply(won, { ...asking, key, request, requestTimeMs });
  }

  #note(group: string, racing: Promise<unknown>): void {
    const asking = this.#asking.getOrInsertComputed(group, () => new Set()).add(racing);
    const over = () => {
      asking.delete(racing);
      if (asking.size === 0) this.#asking.delete(group);
    };
    racing.then(over, over);
  }

  /** Undefined when the answer is of no use here. */
  async #supply({ exchange, head, member, status }: Won, asked: Asked): Promise<Supply | undefined> {
    const fields = new Fields(head.fields);
    const given = exchange.shown;
    const manifest = given && (await checkedManifest(given, { key: asked.key, fields }));
    if (
      !mayGivePeers(fields) ||
      !isUseful(asked.request.fields, { status: head.status, fields }) ||
      (given !== undefined && manifest === undefined)
    ) {
      exchange.cancel();
      member.breaker.undecided();
      this.#onOutcome(given !== undefined && manifest === undefined ? 'corrupt' : 'miss', member);
      return undefined;
    }
    member.answered();
    const { request, requestTimeMs, signal } = asked;
    const audited = this.#options.audit?.begin({ request, status: head.status, fields, peerId: member.peerId });
    const cancel = () => exchange.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const body = new PeerBody(exchange, {
      check: new BodyCheck({ status: head.status, fields, manifest }),
      onBytes: (bytes, position) => {
        this.#options.onBytes(bytes.length);
        audited?.bytes(bytes, position);
      },
      onEnded: (error) => {
        signal.removeEventListener('abort', cancel);
        this.#onEnded(error, { member, status });
        if (error !== undefined) return;
        audited?.end();
        this.#keepManifest(exchange.manifest, { key: asked.key, fields });
      },
    });
    asked.givers.add(member.peerId);
    const next = (rest: SupplyRequest) => this.#rest(rest, asked);
    const continued = new ContinuedBody(body, { request, status: head.status, fields, next });
    const times = { requestTimeMs, responseTimeMs: this.#options.nowMs() };
    const onTaken = (bytes: Buffer) => body.taken(bytes);
    return { source: 'peer', givers: asked.givers, status: head.status, fields, body: continued, onTaken, ...times };
  }

  /** The rest of a body: from another peer once, so that not every node fetches it, else from the origin. */
  async #rest(request: SupplyRequest, asking: Asking): Promise<Supply | undefined> {
    const { signal, givers } = asking;
    const another = givers.size > 1 ? undefined : await this.#ask(request, asking);
    return another ?? this.#options.origin?.supply(request, { signal });
  }

  #keepManifest(encoded: Buffer | undefined, about: { key: string; fields: Fields }): void {
    const manifest = encoded && manifestOf(encoded, about);
    if (encoded !== undefined && manifest !== undefined) this.#options.manifests.keep(manifest, encoded);
  }

  #onEnded(error: PeerError | undefined, { member, status }: { member: Member; status: AskOutcome }): void {
    if (error === undefined) member.breaker.succeeded();
    else if (error.failure === 'aborted') member.breaker.undecided();
    else member.breaker.failed();
    this.#onOutcome(error?.failure ?? status, member);
  }

  #onOutcome(outcome: AskOutcome, member: Member): void {
    this.#options.onOutcome(outcome);
    if (outcome === 'corrupt') this.#options.onCorrupt(member.peerId, 'its bytes did not match their digest');
  }
}

/** Undefined unless it is properly signed and about these bytes. */
async function checkedManifest(encoded: Buffer, about: { key: string; fields: Fields }): Promise<Manifest | undefined> {
  const manifest = manifestOf(encoded, about);
  return manifest !== undefined && (await manifestFault(manifest)) === undefined ? manifest : undefined;
}

/** Undefined unless it is about these bytes. Says nothing about its signature. */
function manifestOf(encoded: Buffer, { key, fields }: { key: string; fields: Fields }): Manifest | undefined {
  const manifest = decodeManifest(encoded);
  return manifest?.key === key && manifest.etag === (fields.get('etag') ?? '') ? manifest : undefined;
}
