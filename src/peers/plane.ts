import { setTimeout as sleep } from 'node:timers/promises';
import type { Supplier, SupplyRequest } from '../cache/supply.ts';
import type { Log } from '../log.ts';
import type { ResponseOutcome } from './answer/responder.ts';
import type { PeerSource } from './answer/source.ts';
import { UploadBudget } from './answer/upload-budget.ts';
import type { AskOutcome } from './ask/race.ts';
import { PeerSupplier } from './ask/requester.ts';
import { blake3NativeFault } from './blake3.ts';
import type { Identity } from './cell/identity.ts';
import { type CellProof, type GivenCredential, Membership } from './cell/membership.ts';
import { Audit } from './integrity/audit.ts';
import { KeptDigests } from './integrity/kept-digests.ts';
import { Manifests } from './integrity/manifests.ts';
import type { PeerReport } from './members/member.ts';
import { groupOf } from './members/placement.ts';
import { Mesh } from './mesh/mesh.ts';
import type { Announcement } from './wire/announcement.ts';

export interface PeerPlaneOptions {
  readonly identity: Identity;
  readonly cell: CellProof;
  /** Multiaddrs. */
  readonly listen: readonly string[];
  readonly bootstrap: readonly string[];
  /** Looks for members on the LAN. */
  readonly mdns: boolean;
  readonly transport?: 'direct' | 'stock';
  /** Whether others can dial this node; if not, members that relay lead to it. Default `auto`: those are asked to try. */
  readonly reachable?: boolean | 'auto';
  /** Lets members that cannot be dialled reach each other through this node, with that many bytes a second at most. */
  readonly relay?: { readonly bytesPerSecond: number } | undefined;
  /** Share of the pieces this node is responsible for, relative to the others. Default 1. */
  readonly weight?: number;
  /** What peers are given. */
  readonly source: PeerSource;
  /** The cache key of a request; the same on every node of the cell. */
  readonly keyOf: (request: SupplyRequest) => string;
  /** Default: no limit. */
  readonly uploadBytesPerSecond?: (nowMs: number) => number;
  /** Continues bodies that peers break off, and is what audits compare with. Without it such a body ends with an error. */
  readonly origin?: Supplier;
  /** Share of what is given that the cell altogether compares with the origin, 0 to 1. Default 0. */
  readonly auditShare?: number;
  readonly log: Log;
  readonly onBytes: (direction: 'in' | 'out', bytes: number) => void;
  readonly onOutcome: (direction: 'in' | 'out', outcome: AskOutcome | ResponseOutcome) => void;
  /** That peer gave wrong bytes: what came from it is to be dropped. */
  readonly onCorrupt: (peerId: string, reason: string) => void;
  /** A member announced something: at most 16 KiB, and fifty a second of each member. `message` is the receiver's. */
  readonly onAnnounced?: (peerId: string, topic: string, message: Buffer) => void;
  /** What a member is told that links. Its last link with this node ended at that time; undefined: that is not known. */
  readonly missedBy?: (lastLinkMs: number | undefined) => readonly Announcement[];
}

/** Later than what viewers wait for. */
const auditDelayMs = 30_000;
/** Also what requests that are on their way have to arrive. */
const drainCheckMs = 100;

/** This node among its peers. */
export class PeerPlane {
  readonly peerId: string;
  /** Goes before the origin in the order of suppliers. */
  readonly supplier: PeerSupplier;
  readonly #mesh: Mesh;
  readonly #membership: Membership;

  private constructor(peerId: string, parts: { mesh: Mesh; membership: Membership; supplier: PeerSupplier }) {
    this.peerId = peerId;
    this.#mesh = parts.mesh;
    this.#membership = parts.membership;
    this.supplier = parts.supplier;
  }

  /** Rejects with a clear error when the identity, the key or an address cannot be used. */
  static async open(options: PeerPlaneOptions): Promise<PeerPlane> {
    const { privateKey, peerId } = options.identity;
    if (blake3NativeFault !== undefined)
      options.log.warn({ reason: blake3NativeFault }, 'BLAKE3 is computed in JavaScript: peers cost much more CPU');
    const membership = await Membership.open(options.cell, peerId);
    const budget = new UploadBudget({
      bytesPerSecond: options.uploadBytesPerSecond ?? (() => Number.POSITIVE_INFINITY),
      nowMs: Date.now,
    });
    const digests = new KeptDigests();
    const manifests = new Manifests(privateKey, digests);
    let supplier: PeerSupplier | undefined;
    const mesh = await Mesh.start({
      peerId,
      privateKey,
      listen: options.listen,
      bootstrap: options.bootstrap,
      reachable: options.reachable ?? 'auto',
      relay: options.relay,
      transport: options.transport ?? 'direct',
      mdnsTag: options.mdns ? membership.cell.tag : undefined,
      greeting: { membership, weight: options.weight ?? 1 },
      log: options.log,
      missedBy: options.missedBy ?? (() => []),
      onAnnounced: (from, { topic, message }) => options.onAnnounced?.(from, topic, message),
      responder: {
        source: options.source,
        budget,
        digests,
        manifests,
        asking: (group) => supplier?.asking(group),
        onBytes: (bytes) => options.onBytes('out', bytes),
        onOutcome: (outcome) => options.onOutcome('in', outcome),
      },
    });
    supplier = supplierOf(options, { mesh, manifests });
    return new PeerPlane(peerId, { mesh, membership, supplier });
  }

  /** As other nodes can dial this one, peer id included. */
  get addresses(): readonly string[] {
    return this.#mesh.addresses;
  }

  /** The other members, for `/api/peers`. */
  peers(): PeerReport[] {
    return this.#mesh.members.report();
  }

  /** Who is responsible for what has that cache key, as this node sees the cell now. */
  ownerOf(key: string): string {
    const [owner = this.peerId] = this.#mesh.members.placement().order(groupOf(key, 0));
    return owner === this.peerId ? 'self' : owner;
  }

  /**
   * Tells all members that are linked now; there is no promise that it arrives. Topic: 1 to 64 of letters, digits and
   * `_ . / -`. Message: at most 16 KiB. False: more than fifty a second, not sent. Throws RangeError out of bounds.
   */
  announce(topic: string, message: Uint8Array): boolean {
    return this.#mesh.gossip.announce(topic, message);
  }

  /** This node now holds bytes of that window of a representation, or has lost the last of them: tells the neighbours. */
  holds(key: string, first: number, held: boolean): void {
    if (held) this.#mesh.held.add(groupOf(key, first));
    else this.#mesh.held.remove(groupOf(key, first));
  }

  /**
   * Tells the members that this node drains: they ask for nothing new, and what it was responsible for goes to others.
   * Resolves when it gives nothing any more, or after `deadlineMs`.
   */
  async drain(deadlineMs: number): Promise<void> {
    this.#mesh.leave();
    const untilMs = performance.now() + deadlineMs;
    do await sleep(drainCheckMs);
    while (this.#mesh.answering > 0 && performance.now() < untilMs);
  }

  /** Takes another credential for the same cell and shows it to the others. Throws EddyError when it is for another. */
  async replaceCredential(credential: GivenCredential): Promise<void> {
    await this.#membership.replace(credential);
    this.#mesh.gossip.showCredential();
  }

  /** Ends what is under way and closes every connection. */
  async close(): Promise<void> {
    await this.#mesh.close();
  }
}

function supplierOf(
  options: PeerPlaneOptions,
  { mesh, manifests }: { mesh: Mesh; manifests: Manifests },
): PeerSupplier {
  const { members } = mesh;
  const onCorrupt = (peerId: string, reason: string): void => {
    mesh.quarantine(peerId, reason);
    options.onCorrupt(peerId, reason);
  };
  const nodes = (): number => 1 + members.all().filter(({ state }) => state === 'up').length;
  return new PeerSupplier({
    ...{ members, manifests, onCorrupt, audit: audit(options, { onCorrupt, nodes }) },
    link: (id) => mesh.link(id),
    selfId: options.identity.peerId,
    nowMs: Date.now,
    keyOf: options.keyOf,
    onOutcome: (outcome) => options.onOutcome('out', outcome),
    onBytes: (bytes) => options.onBytes('in', bytes),
    origin: options.origin,
  });
}

function audit(
  { origin, auditShare = 0 }: PeerPlaneOptions,
  { onCorrupt, nodes }: { onCorrupt: PeerPlaneOptions['onCorrupt']; nodes: () => number },
): Audit | undefined {
  if (origin === undefined || auditShare <= 0) return undefined;
  const onMismatch = (peerId: string, _: SupplyRequest, reason: string) => onCorrupt(peerId, reason);
  // Each node may be given the same piece: together they look at it no more often than a single one would.
  const share = () => auditShare / nodes();
  return new Audit({ origin, share, random: Math.random, delayMs: auditDelayMs, onMismatch });
}
