import type { Libp2p } from '@libp2p/interface';
import type { Log } from '../../log.ts';
import type { ResponderOptions } from '../answer/responder.ts';
import type { Greeting } from '../cell/handshake.ts';
import { PeerError } from '../failure.ts';
import { Link } from '../link/link.ts';
import { HeldDigest } from '../members/digest.ts';
import type { Member, MemberState } from '../members/member.ts';
import { Members } from '../members/members.ts';
import { relayIn } from '../transport/address-parts.ts';
import { Circuits } from '../transport/circuits.ts';
import { type HostOptions, startHost } from '../transport/host.ts';
import { encodeFrame } from '../wire/frames.ts';
import { DialBack } from './dial-back.ts';
import { Dialler } from './dialler.ts';
import { Gossip, type GossipOptions } from './gossip.ts';
import { type Proven, Reception } from './reception.ts';
import { Relays } from './relays.ts';

interface MeshOptions extends Omit<HostOptions, 'gate' | 'circuits'>, Pick<GossipOptions, 'onAnnounced' | 'missedBy'> {
  readonly peerId: string;
  readonly greeting: Greeting;
  /** Addresses to begin with. Any one member is enough: it tells of the others. */
  readonly bootstrap: readonly string[];
  readonly responder: ResponderOptions;
  /** Whether others can dial this node; `auto`: to be found out from members that relay. */
  readonly reachable: boolean | 'auto';
  readonly log: Log;
}

const tickMs = 250;
const beatEveryTicks = 4;
const newsEveryTicks = 60;
const digestChangesBytesMax = 4 * 1024;
const leavingFrame = encodeFrame('leaving', Buffer.alloc(0));

/** Links this node to every other member of its cell, and keeps it so. */
export class Mesh {
  readonly members: Members;
  readonly held = new HeldDigest();
  readonly gossip: Gossip;
  readonly #options: MeshOptions;
  readonly #reception: Reception;
  readonly #dialler: Dialler;
  readonly #links = new Map<string, Link>();
  readonly #stopping = new AbortController();
  readonly #relays: Relays;
  readonly #circuits = new Circuits();
  readonly #dialBack = new DialBack();
  #host: Libp2p | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #newsDue = false;
  #isLeaving = false;

  private constructor(options: MeshOptions) {
    this.#options = options;
    this.members = new Members({
      selfId: options.peerId,
      selfWeight: options.greeting.weight,
      nowMs: Date.now,
      onState: (member, before) => this.#onState(member, before),
    });
    this.#reception = new Reception({
      ...options,
      stateOf: (peerId) => this.members.get(peerId)?.state,
      linkOf: (peerId) => this.#links.get(peerId),
      onProven: (proven) => this.#open(proven),
    });
    this.#dialler = new Dialler({
      ...options,
      selfId: options.peerId,
      signal: this.#stopping.signal,
      linkOf: (peerId) => this.#links.get(peerId),
      areRelaysUsed: () => this.#circuits.isOpen,
      onProven: (proven) => this.#open(proven),
      onStranger: (peerId, error) => this.#reception.onStranger(peerId, error),
    });
    const onMoved = (): void => {
      this.#newsDue = true;
    };
    this.#relays = new Relays({
      ...options,
      circuits: this.#circuits,
      links: () => this.#links.values(),
      listening: () => this.#listening,
      onMoved,
    });
    this.gossip = new Gossip({
      ...options,
      relays: options.relay !== undefined,
      members: this.members,
      addresses: () => this.addresses,
      broadcast: (frames) => this.#broadcast(frames),
      onMoved,
      onProbe: (link, payload) => {
        if (this.#host) this.#dialBack.answer(this.#host, link, payload);
      },
      onProbed: (link, payload) => this.#relays.onProbed(link, payload),
    });
  }

  /** Rejects when it cannot listen. */
  static async start(options: MeshOptions): Promise<Mesh> {
    const mesh = new Mesh(options);
    const host = await startHost({ ...options, gate: mesh.#reception, circuits: mesh.#circuits });
    mesh.#host = host;
    await mesh.#reception.open(host);
    if (options.mdnsTag !== undefined)
      host.addEventListener('peer:discovery', ({ detail }) =>
        mesh.#dialler.seen(detail.id.toString(), detail.multiaddrs.map(String)),
      );
    mesh.#timer = setInterval(() => mesh.#tick(host), tickMs);
    mesh.#tick(host);
    return mesh;
  }

  /** As others can dial this node, peer id included. */
  get addresses(): string[] {
    const relayed = this.#relays.addresses().map((address) => `${address}/p2p/${this.#options.peerId}`);
    return [...this.#listening, ...relayed];
  }

  get #listening(): readonly string[] {
    return this.#host?.getMultiaddrs().map(String) ?? [];
  }

  /** Undefined while there is no connection with that member. */
  link(peerId: string): Link | undefined {
    return this.#links.get(peerId);
  }

  /** Ends what goes on with that peer and refuses it for a while. */
  quarantine(peerId: string, reason: string): void {
    this.members.get(peerId)?.quarantine(reason, Date.now());
    this.#links.get(peerId)?.close(new PeerError('corrupt', reason));
  }

  /** Tells the members that this node drains, and counts on them alone from now on. */
  leave(): void {
    this.#isLeaving = true;
    this.members.leave();
    this.#broadcast([leavingFrame]);
  }

  /** Answers that this node is giving to members. */
  get answering(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.answering, 0);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    for (const link of [...this.#links.values()]) link.close(new PeerError('aborted', 'this node is going away'));
    await this.#host?.stop();
  }

  #tick(host: Libp2p): void {
    const nowMs = Date.now();
    this.members.age(nowMs, (peerId) => this.#links.has(peerId));
    if (this.#mayBeMember(nowMs)) this.#dialler.tick(host, this.members.all());
    if (this.#ticks % beatEveryTicks === 0) this.#relays.tick(nowMs);
    if (++this.#ticks % beatEveryTicks === 0) {
      const changes = this.held.takeChanges(digestChangesBytesMax);
      const news = changes === undefined ? [] : [encodeFrame('digestChanges', changes)];
      for (const link of this.#links.values()) link.beat(nowMs, news);
    }
    if (this.#newsDue || this.#ticks % newsEveryTicks === 0) {
      this.#newsDue = false;
      this.#broadcast(this.gossip.members());
      void this.#options.greeting.membership.renew(nowMs).then(() => this.gossip.showCredential());
    }
  }

  /** Without a credential that counts there is nobody to talk to. */
  #mayBeMember(nowMs: number): boolean {
    const { greeting, log } = this.#options;
    greeting.membership.report(nowMs, log);
    const fault = greeting.membership.fault(nowMs);
    if (fault === undefined) return true;
    for (const link of [...this.#links.values()])
      link.close(new PeerError('aborted', `this node is no member: ${fault}`));
    return false;
  }

  /** Between two nodes one link stays: a direct one; the one that the smaller peer id dialled; the newer one of a side. */
  #open({ hello, expiresMs, ...via }: Proven): Link | undefined {
    const peerId = via.connection.remotePeer.toString();
    const member = this.members.meet(peerId);
    const before = this.#links.get(peerId);
    if (member === undefined || (before !== undefined && !this.#isBetter(via, before))) {
      via.control.close(new PeerError('aborted', 'there is a link already'));
      via.connection.close().catch(() => {});
      return undefined;
    }
    member.weight = hello.weight;
    const link = new Link({
      ...via,
      expiresMs,
      member,
      responder: this.#options.responder,
      onNews: (frame) => this.gossip.onNews(link, frame),
      onClosed: (error) => this.#onLinkClosed(link, error),
    });
    this.#links.set(peerId, link);
    const replaced = new PeerError('aborted', 'replaced by another link');
    if (before?.relay !== undefined && link.relay === undefined) void before.retire(replaced);
    else before?.close(replaced);
    member.connection = link;
    this.#reception.clear(via.connection);
    this.#dialler.linked(peerId);
    member.enter('up', 'linked', Date.now());
    const greeting = this.gossip.greeting(peerId, { wasLinked: before !== undefined });
    for (const frame of [...greeting, encodeFrame('digest', this.held.full())]) link.send(frame);
    if (this.#isLeaving) link.send(leavingFrame);
    link.beat(Date.now());
    link.start();
    return link;
  }

  #isBetter({ connection, dialled }: Pick<Proven, 'connection' | 'dialled'>, before: Link): boolean {
    const isDirect = relayIn(connection.remoteAddr.toString()) === undefined;
    const wasDirect = before.relay === undefined;
    if (isDirect !== wasDirect) return isDirect;
    return before.dialled === dialled || dialled === this.#options.peerId < before.member.peerId;
  }

  #onLinkClosed(link: Link, error: PeerError): void {
    const { member } = link;
    if (this.#links.get(member.peerId) !== link) return;
    this.#links.delete(member.peerId);
    this.gossip.parted(member.peerId);
    member.connection = undefined;
    // A member that has said that it leaves is down already.
    if (!this.#stopping.signal.aborted && member.state !== 'down') member.enter('suspect', error.message, Date.now());
  }

  #onState(member: Member, before: MemberState): void {
    const about = { peer: member.peerId, state: member.state, before, reason: member.reason };
    if (member.state === 'quarantined') this.#options.log.error(about, 'a peer gave wrong bytes');
    else this.#options.log.info(about, 'a peer changed its state');
    if (member.state === 'up') this.#newsDue = true;
  }

  #broadcast(frames: readonly Buffer[]): void {
    for (const link of this.#links.values()) for (const frame of frames) link.send(frame);
  }
}
