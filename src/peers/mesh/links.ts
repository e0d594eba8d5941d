import type { ResponderOptions } from '../answer/responder.ts';
import { PeerError } from '../failure.ts';
import { Link } from '../link/link.ts';
import type { Members } from '../members/members.ts';
import { relayIn } from '../transport/address-parts.ts';
import type { Frame } from '../wire/frames.ts';
import type { Proven } from './reception.ts';

interface LinksOptions {
  /** Of this node. */
  readonly peerId: string;
  readonly members: Members;
  readonly responder: ResponderOptions;
  /** Throws PeerError when the member breaks the protocol. */
  readonly onNews: (link: Link, frame: Frame) => void;
  /** Before anything comes from it. `wasLinked`: it takes the place of another one. */
  readonly onOpened: (link: Link, about: { proven: Proven; wasLinked: boolean }) => void;
  /** There is none with that member now. */
  readonly onClosed: (link: Link, error: PeerError) => void;
}

/** The links with other members, one with each. */
export class Links {
  readonly #options: LinksOptions;
  readonly #byPeer = new Map<string, Link>();

  constructor(options: LinksOptions) {
    this.#options = options;
  }

  /** Undefined while there is no connection with that member. */
  with(peerId: string): Link | undefined {
    return this.#byPeer.get(peerId);
  }

  all(): Iterable<Link> {
    return this.#byPeer.values();
  }

  broadcast(frames: readonly Buffer[]): void {
    for (const link of this.all()) for (const frame of frames) link.send(frame);
  }

  close(error: PeerError): void {
    for (const link of [...this.all()]) link.close(error);
  }

  /** Between two nodes one link stays: a direct one; the one that the smaller peer id dialled; the newer one of a side. */
  open(proven: Proven): Link | undefined {
    const { hello, expiresMs, ...via } = proven;
    const { members, responder, onNews, onOpened } = this.#options;
    const peerId = via.connection.remotePeer.toString();
    const member = members.meet(peerId);
    const before = this.#byPeer.get(peerId);
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
      responder,
      onNews: (frame) => onNews(link, frame),
      onClosed: (error) => this.#onClosed(link, error),
    });
    this.#byPeer.set(peerId, link);
    const replaced = new PeerError('aborted', 'replaced by another link');
    if (before?.relay !== undefined && link.relay === undefined) void before.retire(replaced);
    else before?.close(replaced);
    member.connection = link;
    member.enter('up', 'linked', Date.now());
    onOpened(link, { proven, wasLinked: before !== undefined });
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

  #onClosed(link: Link, error: PeerError): void {
    const { member } = link;
    if (this.#byPeer.get(member.peerId) !== link) return;
    this.#byPeer.delete(member.peerId);
    member.connection = undefined;
    this.#options.onClosed(link, error);
  }
}
