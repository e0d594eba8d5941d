import type { Libp2p } from '@libp2p/interface';
import type { Log } from '../log.ts';
import { type Announcement, AnnouncementRate, decodeAnnouncement, encodeAnnouncement } from './announcement.ts';
import { Dialler } from './dialler.ts';
import { HeldDigest } from './digest.ts';
import { PeerError } from './failure.ts';
import { encodeFrame, type Frame, payloadOf } from './frames.ts';
import { checkedCredential, type Greeting } from './handshake.ts';
import { type HostOptions, startHost } from './host.ts';
import { Link } from './link.ts';
import type { Member, MemberState } from './member.ts';
import { Members } from './members.ts';
import { parseMembers } from './messages.ts';
import { newsFrames } from './news.ts';
import { type Proven, Reception } from './reception.ts';
import type { ResponderOptions } from './responder.ts';

export interface MeshOptions extends Omit<HostOptions, 'gate'> {
  readonly peerId: string;
  readonly greeting: Greeting;
  /** Addresses to begin with. Any one member is enough: it tells of the others. */
  readonly bootstrap: readonly string[];
  readonly responder: ResponderOptions;
  readonly log: Log;
  readonly onAnnounced: ((peerId: string, announcement: Announcement) => void) | undefined;
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
  readonly #options: MeshOptions;
  readonly #reception: Reception;
  readonly #dialler: Dialler;
  readonly #links = new Map<string, Link>();
  readonly #stopping = new AbortController();
  readonly #rate = new AnnouncementRate(Date.now());
  #host: Libp2p | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;
  #newsDue = false;
  #isLeaving = false;
  #shown: Buffer;

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
      isLinked: (peerId) => this.#links.has(peerId),
      onProven: (proven) => this.#open(proven),
      onStranger: (peerId, error) => this.#reception.onStranger(peerId, error),
    });
    this.#shown = options.greeting.membership.shown();
  }

  /** Rejects when it cannot listen. */
  static async start(options: MeshOptions): Promise<Mesh> {
    const mesh = new Mesh(options);
    const host = await startHost({ ...options, gate: mesh.#reception });
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

  /** Tells every member that is linked now. False: too much was said lately, this was not. Throws RangeError. */
  announce(topic: string, message: Uint8Array): boolean {
    const frame = encodeFrame('announcement', encodeAnnouncement(topic, message));
    if (!this.#rate.take(Date.now())) return false;
    this.#broadcast([frame]);
    return true;
  }

  /** Shows members this node's credential if it is another than they were shown. */
  showCredential(): void {
    const { membership } = this.#options.greeting;
    const shown = membership.shown();
    if (membership.fault(Date.now()) !== undefined || shown.equals(this.#shown)) return;
    this.#shown = shown;
    this.#broadcast([encodeFrame('credential', shown)]);
  }

  #tick(host: Libp2p): void {
    const nowMs = Date.now();
    this.members.age(nowMs, (peerId) => this.#links.has(peerId));
    if (this.#mayBeMember(nowMs)) this.#dialler.tick(host, this.members.all());
    if (++this.#ticks % beatEveryTicks === 0) {
      for (const link of this.#links.values()) link.beat(nowMs);
      const changes = this.held.takeChanges(digestChangesBytesMax);
      if (changes !== undefined) this.#broadcast([encodeFrame('digestChanges', changes)]);
    }
    if (this.#newsDue || this.#ticks % newsEveryTicks === 0) {
      this.#newsDue = false;
      this.#broadcast(this.#newsFrames());
      void this.#options.greeting.membership.renew(nowMs).then(() => this.showCredential());
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

  /** Between two nodes one link stays: the one that the smaller peer id dialled, or the newer one of the same side. */
  #open({ hello, expiresMs, ...via }: Proven): Link | undefined {
    const peerId = via.connection.remotePeer.toString();
    const member = this.members.meet(peerId);
    const before = this.#links.get(peerId);
    const preferred = via.dialled === this.#options.peerId < peerId;
    if (member === undefined || (before !== undefined && !preferred && before.dialled !== via.dialled)) {
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
      onNews: (frame) => this.#onNews(link, frame),
      onClosed: (error) => this.#onLinkClosed(link, error),
    });
    this.#links.set(peerId, link);
    before?.close(new PeerError('aborted', 'replaced by another link'));
    this.#reception.clear(via.connection);
    this.#dialler.linked(peerId);
    member.enter('up', 'linked', Date.now());
    for (const frame of [...this.#newsFrames(), encodeFrame('digest', this.held.full())]) link.send(frame);
    if (this.#isLeaving) link.send(leavingFrame);
    link.beat(Date.now());
    link.start();
    return link;
  }

  #onLinkClosed(link: Link, error: PeerError): void {
    const { member } = link;
    if (this.#links.get(member.peerId) !== link) return;
    this.#links.delete(member.peerId);
    // A member that has said that it leaves is down already.
    if (!this.#stopping.signal.aborted && member.state !== 'down') member.enter('suspect', error.message, Date.now());
  }

  #onState(member: Member, before: MemberState): void {
    const about = { peer: member.peerId, state: member.state, before, reason: member.reason };
    if (member.state === 'quarantined') this.#options.log.error(about, 'a peer gave wrong bytes');
    else this.#options.log.info(about, 'a peer changed its state');
    if (member.state === 'up') this.#newsDue = true;
  }

  #onNews(link: Link, frame: Frame): void {
    const payload = payloadOf(frame);
    const { member } = link;
    if (frame.name === 'members') for (const news of parseMembers(payload)) this.members.learn(news);
    else if (frame.name === 'announcement') this.#onAnnouncement(member, payload);
    else if (frame.name === 'leaving') member.leave(Date.now());
    else if (frame.name === 'credential') void this.#onCredential(link, payload);
    else if (frame.name === 'digest' ? !member.digest.replace(payload) : !member.digest.change(payload))
      throw new PeerError('broken', 'a malformed digest');
  }

  async #onCredential(link: Link, payload: Buffer): Promise<void> {
    try {
      const { peerId } = link.member;
      link.expiresMs = await checkedCredential(Buffer.from(payload), peerId, this.#options.greeting.membership.cell);
    } catch (error) {
      link.close(error instanceof PeerError ? error : new PeerError('broken', 'a credential that cannot be checked'));
    }
  }

  /** What is more than a member may say is passed over. */
  #onAnnouncement(member: Member, payload: Buffer): void {
    const announcement = decodeAnnouncement(payload);
    if (announcement === undefined) throw new PeerError('broken', 'a malformed announcement');
    if (member.announcements.take(Date.now())) this.#options.onAnnounced?.(member.peerId, announcement);
  }

  #newsFrames(): Buffer[] {
    const { peerId, greeting } = this.#options;
    return newsFrames({ peerId, weight: greeting.weight, addresses: this.addresses }, this.members.news());
  }

  #broadcast(frames: readonly Buffer[]): void {
    for (const link of this.#links.values()) for (const frame of frames) link.send(frame);
  }
}
