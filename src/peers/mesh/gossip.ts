import { BoundedMap } from '../../bounded-map.ts';
import { checkedCredential, type Greeting } from '../cell/handshake.ts';
import { PeerError } from '../failure.ts';
import type { Link } from '../link/link.ts';
import type { Member } from '../members/member.ts';
import type { Members } from '../members/members.ts';
import { type Announcement, AnnouncementRate, decodeAnnouncement, encodeAnnouncement } from '../wire/announcement.ts';
import { encodeFrame, type Frame } from '../wire/frames.ts';
import { newsFrames } from '../wire/member-news.ts';
import { parseMembers } from '../wire/messages.ts';

export interface GossipOptions {
  readonly peerId: string;
  readonly greeting: Greeting;
  /** Whether this node relays. */
  readonly relays: boolean;
  readonly members: Members;
  readonly addresses: () => readonly string[];
  /** To every member that is linked. */
  readonly broadcast: (frames: readonly Buffer[]) => void;
  /** A member has another address: the rest will want to know. */
  readonly onMoved: () => void;
  /** A member wants to know whether it can be dialled, or has told so. */
  readonly onProbe: (link: Link, payload: Buffer) => void;
  readonly onProbed: (link: Link, payload: Buffer) => void;
  /** What a member is told that links, and whose last link ended at that time. */
  readonly missedBy: (lastLinkMs: number | undefined) => readonly Announcement[];
  readonly onAnnounced: ((peerId: string, announcement: Announcement) => void) | undefined;
}

/** Members whose last link is remembered. */
const partedMax = 1_024;

/** What members tell each other besides requests: who there is, what they hold, and what they announce. */
export class Gossip {
  readonly #options: GossipOptions;
  readonly #rate = new AnnouncementRate(Date.now());
  /** When the last link with each member ended. */
  readonly #parted = new BoundedMap<string, number>(partedMax);
  #shown: Buffer;

  constructor(options: GossipOptions) {
    this.#options = options;
    this.#shown = options.greeting.membership.shown();
  }

  /** Who is in the cell, as this node sees it. */
  members(): readonly Buffer[] {
    const { peerId, greeting, relays, members, addresses } = this.#options;
    const self = { peerId, weight: greeting.weight, addresses: addresses(), ...(relays && { relays }) };
    return newsFrames(self, members.news());
  }

  /** What a member is told that links: what it may have missed, and who there is. */
  greeting(peerId: string, { wasLinked }: { wasLinked: boolean }): readonly Buffer[] {
    const missed = wasLinked ? [] : this.#options.missedBy(this.#parted.get(peerId));
    const announced = missed.map(({ topic, message }) =>
      encodeFrame('announcement', encodeAnnouncement(topic, message)),
    );
    return [...announced, ...this.members()];
  }

  /** There is no link with that member any more. */
  parted(peerId: string): void {
    this.#parted.set(peerId, Date.now());
  }

  /** Tells every member that is linked now. False: too much was said lately, this was not. Throws RangeError. */
  announce(topic: string, message: Uint8Array): boolean {
    const frame = encodeFrame('announcement', encodeAnnouncement(topic, message));
    if (!this.#rate.take(Date.now())) return false;
    this.#options.broadcast([frame]);
    return true;
  }

  /** Shows members this node's credential if it is another than they were shown. */
  showCredential(): void {
    const { membership } = this.#options.greeting;
    const shown = membership.shown();
    if (membership.fault(Date.now()) !== undefined || shown.equals(this.#shown)) return;
    this.#shown = shown;
    this.#options.broadcast([encodeFrame('credential', shown)]);
  }

  /** Throws PeerError when the member breaks the protocol. */
  onNews(link: Link, frame: Frame): void {
    const payload = frame.payload;
    const { member } = link;
    if (frame.name === 'members') this.#onMembers(member, payload);
    else if (frame.name === 'announcement') this.#onAnnouncement(member, payload);
    else if (frame.name === 'leaving') member.leave(Date.now());
    else if (frame.name === 'probe') this.#options.onProbe(link, payload);
    else if (frame.name === 'probed') this.#options.onProbed(link, payload);
    else if (frame.name === 'credential') void this.#onCredential(link, payload);
    else if (frame.name === 'digest' ? !member.digest.replace(payload) : !member.digest.change(payload))
      throw new PeerError('broken', 'a malformed digest');
  }

  #onMembers(member: Member, payload: Buffer): void {
    for (const news of parseMembers(payload)) {
      const isNew = this.#options.members.learn(news);
      if (news.peerId !== member.peerId) continue;
      // Whether it relays is for each to say of itself.
      member.relays = news.relays === true;
      if (isNew) this.#options.onMoved();
    }
  }

  async #onCredential(link: Link, payload: Buffer): Promise<void> {
    const { cell } = this.#options.greeting.membership;
    try {
      link.expiresMs = await checkedCredential(Buffer.from(payload), link.member.peerId, cell);
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
}
