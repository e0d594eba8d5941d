import type { Libp2p } from '@libp2p/interface';
import type { Log } from '../../log.ts';
import type { ResponderOptions } from '../answer/responder.ts';
import type { Greeting } from '../cell/handshake.ts';
import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import { HeldDigest } from '../members/digest.ts';
import type { Member, MemberState } from '../members/member.ts';
import { Members } from '../members/members.ts';
import { Circuits } from '../transport/circuits.ts';
import { type HostOptions, startHost } from '../transport/host.ts';
import { encodeFrame } from '../wire/frames.ts';
import { DialBack } from './dial-back.ts';
import { Dialler } from './dialler.ts';
import { Gossip, type GossipOptions } from './gossip.ts';
import { Links } from './links.ts';
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
  readonly #links: Links;
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
    this.#links = this.#createLinks(options);
    this.#reception = new Reception({
      ...options,
      stateOf: (peerId) => this.members.get(peerId)?.state,
      linkOf: (peerId) => this.#links.with(peerId),
      onProven: (proven) => this.#links.open(proven),
    });
    this.#dialler = new Dialler({
      ...options,
      selfId: options.peerId,
      signal: this.#stopping.signal,
      linkOf: (peerId) => this.#links.with(peerId),
      areRelaysUsed: () => this.#circuits.isOpen,
      onProven: (proven) => this.#links.open(proven),
      onStranger: (peerId, error) => this.#reception.onStranger(peerId, error),
    });
    const onMoved = (): void => {
      this.#newsDue = true;
    };
    this.#relays = new Relays({
      ...options,
      circuits: this.#circuits,
      links: () => this.#links.all(),
      listening: () => this.#listening,
      onMoved,
    });
    this.gossip = new Gossip({
      ...options,
      relays: options.relay !== undefined,
      members: this.members,
      addresses: () => this.addresses,
      broadcast: (frames) => this.#links.broadcast(frames),
      onMoved,
      onProbe: (link, payload) => {
        if (this.#host) this.#dialBack.answer(this.#host, link, payload);
      },
      onProbed: (link, payload) => this.#relays.onProbed(link, payload),
    });
  }

  #createLinks({ peerId, responder }: MeshOptions): Links {
    return new Links({
      ...{ peerId, responder, members: this.members },
      onNews: (link, frame) => this.gossip.onNews(link, frame),
      onOpened: (link, about) => this.#onLinked(link, about),
      onClosed: (link, error) => this.#onParted(link, error),
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
    return this.#links.with(peerId);
  }

  /** Ends what goes on with that peer and refuses it for a while. */
  quarantine(peerId: string, reason: string): void {
    this.members.get(peerId)?.quarantine(reason, Date.now());
    this.#links.with(peerId)?.close(new PeerError('corrupt', reason));
  }

  /** Tells the members that this node drains, and counts on them alone from now on. */
  leave(): void {
    this.#isLeaving = true;
    this.members.leave();
    this.#links.broadcast([leavingFrame]);
  }

  /** Answers that this node is giving to members. */
  get answering(): number {
    return [...this.#links.all()].reduce((sum, link) => sum + link.answering, 0);
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#timer);
    this.#links.close(new PeerError('aborted', 'this node is going away'));
    await this.#host?.stop();
  }

  #tick(host: Libp2p): void {
    const nowMs = Date.now();
    this.members.age(nowMs, (peerId) => this.#links.with(peerId) !== undefined);
    if (this.#mayBeMember(nowMs)) this.#dialler.tick(host, this.members.all());
    if (this.#ticks % beatEveryTicks === 0) this.#relays.tick(nowMs);
    if (++this.#ticks % beatEveryTicks === 0) {
      const changes = this.held.takeChanges(digestChangesBytesMax);
      const news = changes === undefined ? [] : [encodeFrame('digestChanges', changes)];
      for (const link of this.#links.all()) link.beat(nowMs, news);
    }
    if (this.#newsDue || this.#ticks % newsEveryTicks === 0) {
      this.#newsDue = false;
      this.#links.broadcast(this.gossip.members());
      void this.#options.greeting.membership.renew(nowMs).then(() => this.gossip.showCredential());
    }
  }

  /** Without a credential that counts there is nobody to talk to. */
  #mayBeMember(nowMs: number): boolean {
    const { greeting, log } = this.#options;
    greeting.membership.report(nowMs, log);
    const fault = greeting.membership.fault(nowMs);
    if (fault === undefined) return true;
    this.#links.close(new PeerError('aborted', `this node is no member: ${fault}`));
    return false;
  }

  #onLinked(link: Link, { proven, wasLinked }: { proven: Proven; wasLinked: boolean }): void {
    const { peerId } = link.member;
    this.#reception.clear(proven.connection);
    this.#dialler.linked(peerId);
    const greeting = this.gossip.greeting(peerId, { wasLinked });
    for (const frame of [...greeting, encodeFrame('digest', this.held.full())]) link.send(frame);
    if (this.#isLeaving) link.send(leavingFrame);
  }

  #onParted({ member }: Link, error: PeerError): void {
    this.gossip.parted(member.peerId);
    // A member that has said that it leaves is down already.
    if (!this.#stopping.signal.aborted && member.state !== 'down') member.enter('suspect', error.message, Date.now());
  }

  #onState(member: Member, before: MemberState): void {
    const about = { peer: member.peerId, state: member.state, before, reason: member.reason };
    if (member.state === 'quarantined') this.#options.log.error(about, 'a peer gave wrong bytes');
    else this.#options.log.info(about, 'a peer changed its state');
    if (member.state === 'up') this.#newsDue = true;
  }
}
